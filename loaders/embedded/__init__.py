"""The embedded default: a PostgreSQL server and an S3 emulator that need neither Docker nor AWS."""
