"""The HTTP surface: the only package that knows Sanic. Dialects and serving lie below it."""
