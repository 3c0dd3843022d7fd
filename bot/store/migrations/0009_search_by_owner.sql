-- Whose a song is stands in the index, so that a search never goes through other members' songs; and so do the beginnings
-- of words, so that one letter is not looked up as every word that begins with it.

DROP TRIGGER song_is_searched;
DROP TABLE song_text;
DROP VIEW song_words;

CREATE VIRTUAL TABLE song_text USING fts5 (
    owner, prompt, header, lyric, tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'
);

CREATE VIEW song_words AS
SELECT
    request_id,
    number,
    request_id * 100 + number AS id,
    user_id AS owner,
    prompt,
    coalesce(title, '') || ' ' || coalesce(genre, '') || ' ' || coalesce(mood, '') || ' ' || coalesce(theme, '')
        AS header,
    lyric
FROM song JOIN request ON request.id = request_id;

INSERT INTO song_text (rowid, owner, prompt, header, lyric) SELECT id, owner, prompt, header, lyric FROM song_words;

CREATE TRIGGER song_is_searched AFTER INSERT ON song BEGIN
    INSERT INTO song_text (rowid, owner, prompt, header, lyric)
    SELECT id, owner, prompt, header, lyric FROM song_words WHERE request_id = new.request_id AND number = new.number;
END;
