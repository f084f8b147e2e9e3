"""What the daemon tells the people who run it: logs now, metrics and events later."""
