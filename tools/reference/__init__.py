"""Pages of docs/ that are made from the code: what people look up by name."""
