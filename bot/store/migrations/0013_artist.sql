-- A song is asked for in an artist's manner, and found by it.

ALTER TABLE request ADD COLUMN artist TEXT;

DROP TRIGGER request_is_searched_anew;
DROP VIEW song_words;

CREATE VIEW song_words AS
SELECT
    request_id,
    number,
    request_id * 100 + number AS id,
    user_id AS owner,
    prompt,
    coalesce(title, '') || ' ' || coalesce(genre, '') || ' ' || coalesce(mood, '') || ' ' || coalesce(theme, '')
        || ' ' || coalesce(artist, '') AS header,
    lyric
FROM song JOIN request ON request.id = request_id;

CREATE TRIGGER request_is_searched_anew AFTER UPDATE OF user_id, prompt, title, genre, mood, theme, artist ON request
BEGIN
    UPDATE song SET lyric = lyric WHERE request_id = new.id;
END;
