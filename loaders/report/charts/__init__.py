"""The report's charts: a module a page, and what all of them draw with."""
