"""The machine: its clocks, its memory and disks, and what its device has."""
