"""How fast weights go from the Hub to S3, on loopback, against the usual way."""
