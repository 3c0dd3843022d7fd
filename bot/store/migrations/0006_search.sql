-- Every song's words, to be searched. A song never changes once it is kept: it is added, and deleted, and that is all.

CREATE VIRTUAL TABLE song_text USING fts5 (prompt, header, lyric, tokenize = 'unicode61 remove_diacritics 2');

-- What is in it. A request has 10 songs at most, so that its id and a song's number fit one row id.
CREATE VIEW song_words AS
SELECT
    request_id,
    number,
    request_id * 100 + number AS id,
    prompt,
    coalesce(title, '') || ' ' || coalesce(genre, '') || ' ' || coalesce(mood, '') || ' ' || coalesce(theme, '')
        AS header,
    lyric
FROM song JOIN request ON request.id = request_id;

INSERT INTO song_text (rowid, prompt, header, lyric) SELECT id, prompt, header, lyric FROM song_words;

CREATE TRIGGER song_is_searched AFTER INSERT ON song BEGIN
    INSERT INTO song_text (rowid, prompt, header, lyric)
    SELECT id, prompt, header, lyric FROM song_words WHERE request_id = new.request_id AND number = new.number;
END;

CREATE TRIGGER song_is_forgotten AFTER DELETE ON song BEGIN
    DELETE FROM song_text WHERE rowid = old.request_id * 100 + old.number;
END;
