"""A song as a picture, and who may see it."""
