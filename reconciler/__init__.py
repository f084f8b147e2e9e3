"""What should happen: pure decisions, and one loop that carries them out through ports."""
