"""The SQL that dbt sends to Redshift is Redshift's: parsed, and free of what Redshift refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlfluff.core import Linter

from loaders.identifiers import Schemas
from loaders.ledger import create_tables
from tests.project.both import Both
from tests.standin.denylist import FUNCTIONS, calls, check_phrases
from tests.standin.errors import SqlError
from tests.standin.lexer import WORD, Token, lex

# Words that Redshift reserves and PostgreSQL does not: a name like these must be quoted.
RESERVED = frozenset(
    """
    aes128 aes256 allowoverwrite az64 backup blanksasnull bytedict bzip2 credentials
    current_user_id deflate defrag delta delta32k disable emptyasnull enable encode encrypt
    encryption explicit globaldict256 globaldict64k gzip identity ignore language lun luns lzo lzop
    minus mostly13 mostly32 mostly8 new off offline oid old open parallel partition percent
    permissions raw readratio recover rejectlog resort respect restore snapshot sysdate system tag
    tdes text255 text32k top truncatecolumns wallet
    """.split()  # noqa: SIM905
)


@pytest.fixture(scope="session")
def compiled(both: Both) -> list[Path]:
    """Compile the project against the tables of the stand-in; give the files of its own SQL."""
    both.desk.invoke("compile")
    files = [
        file
        for file in (both.desk.place / "target" / "compiled").rglob("*.sql")
        if file.is_file() and not any(part.endswith(".yml") for part in file.parts)
    ]
    assert {"fact_measurements.sql", "assert_no_measurement_is_lost.sql"} <= {f.name for f in files}
    return files


def refusals(tokens: list[Token]) -> list[str]:
    """Name what Redshift does not have."""
    found = [
        token.name
        for at, token in enumerate(tokens)
        if token.kind == WORD
        and token.name in RESERVED
        and not (token.spells("PARTITION") and tokens[at + 1].spells("BY"))
    ]
    found += [name for _, name, _ in calls(tokens) if name not in FUNCTIONS]
    try:
        check_phrases(tokens)
    except SqlError as error:
        found.append(error.message)
    return found


def test_compiled_sql_parses_in_redshifts_dialect(compiled: list[Path]) -> None:
    linter = Linter(dialect="redshift")
    unparsable = {
        file.name: [error.desc() for error in linter.parse_string(_known(file)).violations]
        for file in compiled
    }
    assert {name: errors for name, errors in unparsable.items() if errors} == {}


def _known(file: Path) -> str:
    """Return its SQL without a function that AWS documents and the parser does not know."""
    return file.read_text().replace("session_user", "current_user")


def test_compiled_sql_has_nothing_that_redshift_refuses(compiled: list[Path]) -> None:
    found = {file.name: refusals(lex(file.read_text())) for file in compiled}
    assert {name: words for name, words in found.items() if words} == {}


def test_incremental_builds_restrict_the_sort_keys(compiled: list[Path]) -> None:
    """Compiled against tables that are there: as an incremental build."""
    by_name = {file.stem: file.read_text() for file in compiled}
    for reader in ("int_measurements__normalized", "int_sales__changes", "fact_measurements"):
        assert "_batch_id >= (select min(" in by_name[reader], reader
        assert "_batch_id <= (select max(" in by_name[reader], reader
    for reader in ("daily_measurement_summary", "measurement_distributions"):
        days = " ".join(by_name[reader].split())
        assert "facts.measured_at >= affected.measured_date" in days, reader
        assert "facts.measured_at < affected.measured_date + 1" in days, reader


def test_the_ledger_has_no_reserved_names() -> None:
    for statement in create_tables(Schemas(), "varbyte"):
        assert [t.name for t in lex(statement) if t.kind == WORD and t.name in RESERVED] == []


@pytest.mark.parametrize(
    "sql",
    [
        "select pg_input_is_valid(x, 'date') from t",
        "select string_agg(x, ',') from t",
        "select x::jsonb from t",
        "select distinct on (x) x from t",
        "select count(*) filter (where x) from t",
        "select x from t cross join lateral (select 1) as y",
        "insert into t values (1) on conflict do nothing",
        "select snapshot.x from t as snapshot",
        "select raw from t",
    ],
)
def test_the_check_names_what_only_postgresql_takes(sql: str) -> None:
    assert refusals(lex(sql))


def test_the_parser_refuses_a_reserved_name() -> None:
    parsed = Linter(dialect="redshift").parse_string("select snapshot.x from t as snapshot")
    assert parsed.violations
