"""What was asked of an endpoint, replayed in virtual time under a spec: copies that start as slowly
as SageMaker's, and the very policy that the stack runs. Pure."""
