"""The composition root: builds the adapters, starts them in order, stops them in reverse."""
