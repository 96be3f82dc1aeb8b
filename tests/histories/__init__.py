"""The whole controller in one process and one thread, in time that stands still until it is moved."""
