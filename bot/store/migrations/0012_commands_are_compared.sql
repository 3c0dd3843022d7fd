-- Which commands Discord has is asked of Discord at each start: what was noted here said only what this bot had told it.

DROP TABLE command_sync;
