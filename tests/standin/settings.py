"""Settings of a session: which the engine knows, and which only Redshift has."""

from __future__ import annotations

from tests.standin.errors import SqlError
from tests.standin.lexer import literal

NATIVE_SETTINGS = frozenset(
    ["statement_timeout", "search_path", "timezone", "client_encoding", "application_name",
     "extra_float_digits", "datestyle"]
)  # fmt: skip
# Redshift's own, with the defaults that it shows.
OWN_SETTINGS = {
    "query_group": "default",
    "enable_case_sensitive_super_attribute": "off",
    "enable_result_cache_for_session": "on",
    "wlm_query_slot_count": "1",
    "analyze_threshold_percent": "10",
    "mv_enable_aqmv_for_session": "on",
}
# The stand-in has only the default of these; setting anything else is refused.
FIXED_SETTINGS = {
    "enable_case_sensitive_identifier": "false",
    "describe_field_name_in_uppercase": "off",
    "downcase_delimited_identifier": "on",
    "navigate_super_null_on_error": "on",
    "cast_super_null_on_error": "on",
    "parse_super_null_on_error": "off",
}


def engine_setting(name: str) -> str:
    """Return the engine's name of a setting that can be changed. Raises SqlError 42704."""
    if name in NATIVE_SETTINGS:
        return name
    if name in OWN_SETTINGS:
        return f"standin.{name}"
    raise SqlError("42704", f'unrecognized configuration parameter "{name}"')


def show_setting(name: str) -> str:
    """Return the engine's expression for the value of a setting. Raises SqlError 42704."""
    if name in FIXED_SETTINGS:
        return literal(FIXED_SETTINGS[name]).text
    setting = f"current_setting({literal(engine_setting(name)).text}, true)"
    default = literal(OWN_SETTINGS.get(name, "")).text
    return f"coalesce(nullif({setting}, ''), {default})"
