-- The songs that members hold on to; whose they are, their requests say.

CREATE TABLE favourite (
    request_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    added_at TEXT NOT NULL,
    PRIMARY KEY (request_id, number),
    FOREIGN KEY (request_id, number) REFERENCES song (request_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
