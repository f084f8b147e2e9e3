"""Wire formats to the neutral request and back: pure text in, text out; no Sanic, no asyncio."""
