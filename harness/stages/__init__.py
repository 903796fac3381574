"""Use cases: each turns a configuration into files and returns what it did; printing is the command line's affair."""
