"""Readers of the export formats: they check staged bytes and know nothing of the warehouse."""
