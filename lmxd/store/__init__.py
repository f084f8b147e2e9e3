"""Model files on this disk: where they come from, whether they are whole, and whose they are."""
