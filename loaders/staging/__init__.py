"""The staging bucket: listing objects, grouping them into exports, choosing what to load."""
