"""The engine of models that give vectors and scores, and no text."""
