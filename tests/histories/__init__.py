"""The whole controller in one process, in time that stands still until somebody moves it."""
