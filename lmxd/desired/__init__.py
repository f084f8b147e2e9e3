"""The document on disk: reading it, following it, and remembering what was accepted."""
