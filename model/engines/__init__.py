"""What turns requests into songs, step by step, and which of them serves a checkpoint."""
