"""What Redshift does not have, or the stand-in does not know: refused with the construct's name.

Function calls are checked against a list of what is known, so that PostgreSQL's other functions
cannot make a test pass that would fail on Redshift.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.standin.errors import SqlError, refuse
from tests.standin.lexer import PARAM, WORD, Token

PHRASES = (
    ("ARRAY", "["), ("LATERAL",), ("ON", "CONFLICT"), ("RETURNING",), ("DISTINCT", "ON", "("),
    (")", "FILTER", "("), ("->",), ("->>",), ("FOR", "UPDATE"), ("FOR", "SHARE"), ("PIVOT", "("),
    ("UNPIVOT",), ("IGNORE", "NULLS"), ("RESPECT", "NULLS"), ("TABLESAMPLE",),
    ("WITH", "ORDINALITY"), ("DISTINCT", "FROM"), ("ANY", "(", "ARRAY"), ("FETCH", "FIRST"),
    ("FETCH", "NEXT"), ("AS", "MATERIALIZED"), ("AS", "NOT", "MATERIALIZED"), ("CONNECT", "BY"),
    ("SELECT", "TOP"), ("BETWEEN", "SYMMETRIC"), ("SIMILAR", "TO"), ("COLLATE",),
    ("EXCLUDE", "("), ("OVERRIDING",), ("REMOVE", "DUPLICATES"), ("GROUPING", "SETS"),
    ("CURRENT_ROLE",), ("LOCALTIMESTAMP",), ("LOCALTIME",), ("CURRENT_CATALOG",),
)  # fmt: skip
TYPES = frozenset(
    """
    json jsonb uuid bytea xml money inet cidr macaddr hstore citext serial bigserial bit varbit
    int4range int8range numrange tsrange tstzrange daterange tsvector tsquery geometry geography
    hllsketch point line polygon
    """.split()  # noqa: SIM905
)
# Known to Redshift's leader node only: refused together with a user's table.
LEADER_ONLY = frozenset(["generate_series"])
# Known to its compute nodes only: refused without a user's table.
COMPUTE_ONLY = frozenset(["listagg", "median", "percentile_cont", "percentile_disc"])

FUNCTIONS = frozenset(
    """
    abs acos add_months any_value array array_concat ascii asin atan atan2 avg bit_and bit_or
    bool_and bool_or btrim can_json_parse cast cbrt ceil ceiling char_length character_length
    charindex chr coalesce col_description concat convert_timezone cos cot count cube cume_dist
    current_database current_schema current_schemas current_setting current_user_id date_part
    date_trunc dateadd datediff degrees dense_rank exp extract first_value floor format_type
    from_varbyte generate_series get_array_length getdate greatest grouping has_column_privilege
    has_database_privilege has_schema_privilege has_table_privilege initcap is_array is_boolean
    is_decimal is_integer is_object is_scalar is_valid_json is_varchar json_array_length
    json_extract_array_element_text json_extract_path_text json_parse json_serialize json_size
    json_typeof
    lag last_day last_value lead least left len length listagg ln log lower lpad ltrim max md5
    median min mod nth_value ntile nullif nvl nvl2 obj_description object octet_length
    percent_rank percentile_cont percentile_disc pg_backend_pid pg_cancel_backend
    pg_get_late_binding_view_cols pg_get_userbyid pg_get_viewdef pg_last_copy_count
    pg_last_copy_id pg_table_is_visible pg_terminate_backend pi position pow power quote_ident
    quote_literal radians random rank regexp_count regexp_instr regexp_replace regexp_substr
    repeat replace reverse right rollup round row_number rpad rtrim sha2 sign sin split_part
    sqrt stddev stddev_pop stddev_samp strpos strtol substr substring sum sysdate tan to_char
    to_date to_hex to_number to_timestamp to_varbyte translate trim trunc try_cast upper var_pop
    var_samp variance version
    """.split()  # noqa: SIM905
)
_BY_FIRST_WORD = {
    first: [phrase for phrase in PHRASES if phrase[0] == first]
    for first in {phrase[0] for phrase in PHRASES}
}
NOT_FUNCTIONS = frozenset(
    """
    IN AND OR NOT AS ON USING VALUES OVER PARTITION BY WHERE FROM JOIN HAVING SELECT WHEN THEN ELSE
    CASE END EXISTS ANY ALL SOME UNION INTERSECT EXCEPT MINUS DISTINCT LIMIT OFFSET INTO SET WITH
    GROUP ORDER BETWEEN LIKE ILIKE IS INTERVAL VARCHAR CHAR CHARACTER VARYING NVARCHAR BPCHAR
    DECIMAL NUMERIC FLOAT VARBYTE TIMESTAMP TIMESTAMPTZ TIME TIMETZ DATE QUALIFY ROWS RANGE INSERT
    RETURNING DEFAULT RECURSIVE TABLE KEY PRECISION PERCENT ESCAPE
    """.split()  # noqa: SIM905
)


def check_phrases(tokens: Sequence[Token]) -> None:
    """Raise for the first construct of `PHRASES` or type of `TYPES`."""
    for at, token in enumerate(tokens):
        for phrase in _BY_FIRST_WORD.get(token.keyword or token.text, ()):
            ahead = tokens[at : at + len(phrase)]
            if len(ahead) == len(phrase) and all(
                t.spells(w) for t, w in zip(ahead, phrase, strict=True)
            ):
                if at and tokens[at - 1].spells(".", "AS") and len(phrase) == 1:
                    continue  # a column or an alias of that name
                raise refuse(" ".join(p for p in phrase if p.isalpha()) or phrase[0])
        if token.spells("::", "AS") and at + 1 < len(tokens):
            following = tokens[at + 1]
            closes = at + 2 < len(tokens) and tokens[at + 2].spells(")", "(")
            if following.name in TYPES and (token.spells("::") or closes):
                raise refuse(f"type {following.name}")
        if token.spells("INTO") and at and not tokens[at - 1].spells("INSERT", "MERGE"):
            raise refuse("SELECT INTO")


def calls(tokens: Sequence[Token]) -> Iterator[tuple[int, str, bool]]:
    """Yield each function call: its place, its name, and whether a schema qualifies it."""
    for at in range(len(tokens) - 1):
        token = tokens[at]
        if not tokens[at + 1].spells("(") or not token.name:
            continue
        if token.kind == WORD and token.keyword in NOT_FUNCTIONS:
            continue
        yield at, token.name, bool(at and tokens[at - 1].spells("."))


def check_scope(used: set[str], reads_user_table: bool) -> None:
    """Raise if a function of one kind of node is used where only the other kind runs."""
    if not reads_user_table and used & COMPUTE_ONLY:
        raise SqlError(
            "0A000",
            "One or more of the used functions must be applied on at least one user created "
            "tables. Examples of user table only functions are LISTAGG, MEDIAN, PERCENTILE_CONT, "
            "etc",
        )
    if reads_user_table and used & LEADER_ONLY:
        raise SqlError(
            "0A000",
            "Specified types or functions (one per INFO message) not supported on Redshift tables.",
            ", ".join(sorted(used & LEADER_ONLY)),
        )


def check_parameters(tokens: Sequence[Token]) -> None:
    """Raise if a statement that the stand-in runs itself has parameters."""
    if any(t.kind == PARAM for t in tokens):
        raise refuse("a parameter in this statement")
