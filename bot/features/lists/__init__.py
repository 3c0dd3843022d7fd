"""The lists of what a member wrote: history and favourites."""
