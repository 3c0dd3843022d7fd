"""The commands of python -m train, a file each."""
