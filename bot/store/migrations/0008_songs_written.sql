-- How many songs were ever written, which deleting some does not change. It has one row.

CREATE TABLE songs_written (total INTEGER NOT NULL) STRICT;

INSERT INTO songs_written SELECT count(*) FROM song;
