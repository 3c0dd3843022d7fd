"""What lies between a command line and a bot that runs: its settings, what it checks first, how it ends."""
