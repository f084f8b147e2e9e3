"""The parent's side of workers: start, spare, beat watch, exit report, frame client."""
