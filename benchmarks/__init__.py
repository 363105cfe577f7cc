"""Measurements of the warehouse beside what a user might take instead: `python -m benchmarks`."""
