"""Weights from the Hugging Face Hub to S3: planned, checked on the way, sealed with a passport."""
