-- What the admins of each server decided, and since when the bot is no longer there.

CREATE TABLE server_settings (
    guild_id INTEGER PRIMARY KEY,
    -- Only what was set: the defaults are the host's and the code's, and may change.
    defaults TEXT NOT NULL CHECK (json_valid(defaults)),
    ceilings TEXT NOT NULL CHECK (json_valid(ceilings)),
    -- Ids of the channels where songs may be written; none means everywhere.
    channels TEXT NOT NULL CHECK (json_valid(channels)),
    private INTEGER NOT NULL CHECK (private IN (0, 1)),
    left_at TEXT
) STRICT;
