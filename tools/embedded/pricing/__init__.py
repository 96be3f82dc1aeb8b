"""The AWS Price List API, as far as SageMaker's hosting goes."""
