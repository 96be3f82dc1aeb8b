"""Autoscaling policies in virtual time: replays a trace against a model of SageMaker's delays."""
