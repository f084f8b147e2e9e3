"""What things look like: documents, requests, frames, errors. Pure: no I/O, no asyncio."""
