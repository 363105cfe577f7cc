"""A stand-in for Amazon Redshift: its wire protocol and dialect in front of an embedded PostgreSQL.

It exists for tests. What it does not support it refuses by name; see README.md.
"""
