"""What stands in songs and was never sung."""
