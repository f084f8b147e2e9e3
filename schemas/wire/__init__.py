"""What clients send, one module a dialect: strict pydantic models of request bodies."""
