"""A transformer over a cache of keys and values, on each kind of device."""
