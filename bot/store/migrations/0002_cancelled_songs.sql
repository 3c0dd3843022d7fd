-- A song may also have ended because its reader stopped it. SQLite changes no CHECK, so the table is made anew.

CREATE TABLE song_2 (
    request_id INTEGER NOT NULL REFERENCES request (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    lyric TEXT NOT NULL,
    finish_reason TEXT NOT NULL CHECK (finish_reason IN ('stop', 'length', 'cancelled')),
    num_tokens INTEGER NOT NULL,
    PRIMARY KEY (request_id, number)
) STRICT, WITHOUT ROWID;

INSERT INTO song_2 SELECT request_id, number, lyric, finish_reason, num_tokens FROM song;
DROP TABLE song;
ALTER TABLE song_2 RENAME TO song;
