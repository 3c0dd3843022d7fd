"""The formats that songs come in."""
