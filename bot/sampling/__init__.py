"""The sampling parameters as the bot offers them: what they are called, in which layers they are set."""
