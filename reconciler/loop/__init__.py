"""The one single-writer loop: `core` decides in a plain step, `driver` looks, acts and waits."""
