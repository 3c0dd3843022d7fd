"""Between Discord and the features: the commands' tree, what items have in common, and what they ask of the bot."""
