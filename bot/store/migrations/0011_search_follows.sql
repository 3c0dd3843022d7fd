-- The index also follows what is changed in place, say by a host with a shell: until now, only what is added and deleted.

CREATE TRIGGER song_is_searched_anew AFTER UPDATE ON song BEGIN
    DELETE FROM song_text WHERE rowid = old.request_id * 100 + old.number;
    INSERT INTO song_text (rowid, owner, prompt, header, lyric)
    SELECT id, owner, prompt, header, lyric FROM song_words WHERE request_id = new.request_id AND number = new.number;
END;

-- Every song has its request's words beside its own.
CREATE TRIGGER request_is_searched_anew AFTER UPDATE OF user_id, prompt, title, genre, mood, theme ON request BEGIN
    UPDATE song SET lyric = lyric WHERE request_id = new.id;
END;
