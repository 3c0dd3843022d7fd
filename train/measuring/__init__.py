"""What is measured of a checkpoint, and how it is shown."""
