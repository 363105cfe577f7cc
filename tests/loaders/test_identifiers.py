"""Names and literals are safe whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.sql import Identifier

from loaders.errors import UsageError
from loaders.identifiers import MAX_BYTES, Schemas, TableName, quote_identifier, quote_literal

NAMES = st.text(
    st.characters(exclude_characters="%\0", exclude_categories=["Cs"]), min_size=1
).filter(lambda name: len(name.encode()) <= MAX_BYTES)


@given(NAMES)
def test_identifiers_are_quoted_as_the_driver_quotes_them(name: str) -> None:
    assert quote_identifier(name) == Identifier(name).as_string()


@pytest.mark.parametrize("name", ["", "a" * 64, "é" * 32, "a%s", "a\0b"])
def test_names_that_are_not_safe_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"must (have|not contain)"):
        TableName("raw_lab", name)


@given(st.text(st.characters(exclude_characters="\\\0", exclude_categories=["Cs"])))
def test_a_literal_ends_where_it_should(text: str) -> None:
    literal = quote_literal(text)
    assert literal[0] == literal[-1] == "'"
    assert literal[1:-1].replace("''", "") == text.replace("'", "")
    assert literal[1:-1].replace("''", "'") == text


def test_a_backslash_has_no_spelling_that_both_engines_read() -> None:
    with pytest.raises(UsageError, match="backslash"):
        quote_literal("a\\b")


def test_another_target_schema_prefixes_all_schemas() -> None:
    assert Schemas().raw("lab", "t").log == "raw_lab.t"
    assert Schemas("alice").raw("lab", "t").log == "alice_raw_lab.t"
    assert Schemas("alice").ledger("files").sql == '"alice_ledger"."files"'
