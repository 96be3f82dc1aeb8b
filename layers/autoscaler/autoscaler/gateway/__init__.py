"""The OpenAI-compatible HTTP gateway: on Lambda behind a Function URL, on a laptop with uvicorn."""
