"""The ports with boto3, one module a service; the only place that makes clients."""
