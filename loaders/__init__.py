"""Loaders of the research warehouse: staged S3 exports into raw schemas, each object once."""
