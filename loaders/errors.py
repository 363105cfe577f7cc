"""Errors that say whose fault it is and what to do next; only `Transient` is ever retried.

The exit code of the command line is the class's `exit_code` (see DESIGN, "The command line").
"""

from __future__ import annotations


class WarehouseError(Exception):
    """Base of every error this project raises on purpose; its text is meant for a person."""

    exit_code = 3


class UsageError(WarehouseError):
    """Wrong use or configuration: a contract, profile, option or environment variable."""

    exit_code = 2


class DataRefused(WarehouseError):
    """Input was refused; nothing of it was loaded. The message names the file and the reason."""

    exit_code = 1


class Transient(WarehouseError):
    """A fault that may pass by itself (lost connection, throttling, serialization failure)."""

    exit_code = 3


class BuildFailed(WarehouseError):
    """A dbt build or test failed."""

    exit_code = 4
