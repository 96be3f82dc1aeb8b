"""Request builders for SageMaker and Application Auto Scaling, the phase table, stored status."""
