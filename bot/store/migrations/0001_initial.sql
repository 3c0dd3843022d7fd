-- The first schema: what each user sets, every request with its songs, and which commands Discord was told of.

CREATE TABLE user_sampling (
    user_id INTEGER PRIMARY KEY,
    -- Only what the user set: the defaults are the code's, and may change.
    params TEXT NOT NULL CHECK (json_valid(params))
) STRICT;

CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL,
    guild_id INTEGER,
    channel_id INTEGER,
    prompt TEXT NOT NULL,
    title TEXT,
    genre TEXT,
    mood TEXT,
    theme TEXT,
    params TEXT NOT NULL CHECK (json_valid(params)),
    seed INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'finished', 'failed', 'stopped')),
    error TEXT,
    created_at TEXT NOT NULL,
    queued_seconds REAL,
    generating_seconds REAL,
    num_tokens INTEGER
) STRICT;

CREATE INDEX request_by_user ON request (user_id, state, id);

CREATE TABLE song (
    request_id INTEGER NOT NULL REFERENCES request (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    lyric TEXT NOT NULL,
    finish_reason TEXT NOT NULL CHECK (finish_reason IN ('stop', 'length')),
    num_tokens INTEGER NOT NULL,
    PRIMARY KEY (request_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE command_sync (
    application_id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL
) STRICT;
