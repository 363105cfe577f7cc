"""Settings of a session: which the engine knows, and which only Redshift has."""

from __future__ import annotations

from tests.standin.errors import SqlError

NATIVE_SETTINGS = frozenset(
    ["statement_timeout", "search_path", "timezone", "client_encoding", "application_name",
     "extra_float_digits", "datestyle"]
)  # fmt: skip
OWN_SETTINGS = frozenset(
    ["query_group", "enable_case_sensitive_super_attribute", "enable_result_cache_for_session",
     "wlm_query_slot_count", "analyze_threshold_percent", "mv_enable_aqmv_for_session",
     "navigate_super_null_on_error", "cast_super_null_on_error", "parse_super_null_on_error"]
)  # fmt: skip
# The stand-in has only the default of these; setting anything else is refused.
FIXED_SETTINGS = {
    "enable_case_sensitive_identifier": "false",
    "describe_field_name_in_uppercase": "off",
    "downcase_delimited_identifier": "on",
}


def engine_setting(name: str) -> str:
    """Return the engine's name of a setting. Raises SqlError 42704."""
    if name in NATIVE_SETTINGS:
        return name
    if name in OWN_SETTINGS:
        return f"standin.{name}"
    raise SqlError("42704", f'unrecognized configuration parameter "{name}"')
