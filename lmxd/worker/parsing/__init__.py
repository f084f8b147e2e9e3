"""Pure incremental text parsers, used by every engine; one file a format, no MLX."""
