"""Service Quotas, as far as SageMaker's endpoints go."""
