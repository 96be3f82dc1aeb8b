"""How long each handler takes from nothing to its first request to AWS, against boto3 alone."""
