"""How it is done: the daemon, its adapters, the HTTP surface, the workers and the command line."""
