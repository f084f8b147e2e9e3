"""Requests meet models: names, the gate with its queue, and the pool of instances."""
