-- What is searched is a song's words, kept beside it once its member has searched: deleting a song is then work for that
-- song alone. The full-text index had to be rewritten as a whole, so that nothing of a deleted song was left in it.

DROP TRIGGER song_is_searched;
DROP TRIGGER song_is_searched_anew;
DROP TRIGGER song_is_forgotten;
DROP TRIGGER request_is_searched_anew;
DROP VIEW song_words;
DROP TABLE song_text;

CREATE TABLE song_words (
    request_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    -- Of the lyric, the prompt and the header, as bot/store/words.py spells them.
    words TEXT NOT NULL,
    PRIMARY KEY (request_id, number),
    FOREIGN KEY (request_id, number) REFERENCES song (request_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Words follow what is changed in place, say by a host with a shell: they are read anew at the next search.
CREATE TRIGGER song_has_other_words AFTER UPDATE ON song BEGIN
    DELETE FROM song_words WHERE request_id = old.request_id AND number = old.number;
END;

CREATE TRIGGER request_has_other_words AFTER UPDATE OF prompt, title, genre, mood, theme, artist ON request BEGIN
    DELETE FROM song_words WHERE request_id = old.id;
END;

-- No id is given twice: buttons under messages of any age know a request by it, and must never mean another member's.
CREATE TABLE last_request (id INTEGER NOT NULL) STRICT;

INSERT INTO last_request SELECT coalesce(max(id), 0) FROM request;

CREATE TRIGGER request_id_is_used AFTER INSERT ON request BEGIN
    UPDATE last_request SET id = new.id WHERE id < new.id;
END;

-- What retention and the start look for, without a look at every request.
CREATE INDEX request_by_age ON request (created_at);
CREATE INDEX request_under_way ON request (id) WHERE state = 'queued';
