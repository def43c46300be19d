"""Where an agent works: a jail without network, keys, or anything of the machine but its own clone."""
