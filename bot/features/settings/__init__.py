"""What every member sets for themselves."""
