"""Which statement is which: the plan for each kind, and a refusal for all others."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tests.standin import admin, ddl
from tests.standin.copying import plan_copy
from tests.standin.errors import SqlError, refuse
from tests.standin.lexer import Cursor, Token, dotted, lex, literal
from tests.standin.plan import Plan
from tests.standin.queries import describe_late_binding_views, translate_query
from tests.standin.settings import FIXED_SETTINGS, engine_setting, show_setting
from tests.standin.unloading import plan_unload

if TYPE_CHECKING:
    from tests.standin.session import Session


async def translate(tokens: list[Token], session: Session) -> Plan:
    """Return the plan of one statement. Raises SqlError for what is refused."""
    word = tokens[0].keyword or tokens[0].text
    cursor = Cursor(tokens[1:])
    if word in ("SELECT", "WITH", "(", "VALUES"):
        return Plan(tokens=await translate_query(tokens, session.backend))
    if word in ("INSERT", "UPDATE", "DELETE", "MERGE"):
        return await _modification(tokens, session)
    if word == "EXPLAIN":
        return Plan(tokens=[tokens[0], *await translate_query(tokens[1:], session.backend)])
    if word in ("BEGIN", "START"):
        read_only = any(a.spells("READ") and b.spells("ONLY") for a, b in pairwise(tokens))
        return Plan(tokens=lex("begin read only" if read_only else "begin"))
    if word in ("COMMIT", "END", "ROLLBACK", "ABORT"):
        if any(t.spells("TO") for t in tokens):
            raise refuse("ROLLBACK TO SAVEPOINT")
        return Plan(tokens=lex("commit" if word in ("COMMIT", "END") else "rollback"))
    if word in ("SET", "RESET"):
        return _set(word, cursor)
    if word == "SHOW":
        if cursor.peek("COLUMNS"):
            await describe_late_binding_views(session.backend)
        return _show(cursor)
    if word == "COPY":
        return await plan_copy(tokens, session)
    if word == "UNLOAD":
        return await plan_unload(tokens, session)
    if word in ddl.PLANNERS:
        return await ddl.PLANNERS[word](cursor, session.backend)
    if word in admin.PLANNERS:
        return admin.PLANNERS[word](tokens)
    raise refuse(" ".join(t.text.upper() for t in tokens[:2]))


async def _modification(tokens: list[Token], session: Session) -> Plan:
    cursor = Cursor(tokens[1:])
    if tokens[0].spells("DELETE") and not cursor.peek("FROM"):
        tokens = [tokens[0], *lex(" from"), *tokens[1:]]
        cursor = Cursor(tokens[1:])
    cursor.accept("INTO")
    cursor.accept("FROM")
    target = dotted(cursor.qualified_name())
    if tokens[0].spells("MERGE"):
        _check_merge(cursor)
    return Plan(
        tokens=await translate_query(tokens, session.backend),
        written=(f"{literal(target).text}::regclass",),
    )


def _check_merge(cursor: Cursor) -> None:
    """Raise for what Redshift's MERGE does not take."""
    if not cursor.accept("USING"):
        raise refuse("an alias of MERGE's target")
    if cursor.peek("("):
        raise refuse("a subquery as MERGE's source")
    rest = cursor.rest()
    pairs = list(pairwise(rest))
    matched = sum(a.spells("WHEN") and b.spells("MATCHED") for a, b in pairs)
    unmatched = sum(a.spells("WHEN") and b.spells("NOT") for a, b in pairs)
    if (matched, unmatched) != (1, 1):
        raise SqlError(
            "0A000",
            "MERGE needs one WHEN MATCHED and one WHEN NOT MATCHED clause",
        )
    if any(a.spells("MATCHED") and b.spells("AND") for a, b in pairs):
        raise refuse("a condition in WHEN MATCHED")


def _set(word: str, cursor: Cursor) -> Plan:
    cursor.accept("SESSION")
    scope = "local " if cursor.accept("LOCAL") else ""
    name = "timezone" if cursor.accept("TIME", "ZONE") else cursor.next().name
    value = cursor.rest()
    if word == "RESET":
        return Plan(tokens=lex(f"reset {engine_setting(name)}"))
    if value and value[0].spells("TO", "="):
        value = value[1:]
    if name in FIXED_SETTINGS:
        given = value[0].value if value[0].kind == "string" else value[0].text
        if given.lower() not in (FIXED_SETTINGS[name], "default"):
            raise refuse(f"SET {name} TO {given}")
        return Plan(tokens=lex("set standin.fixed to 'default'"))
    return Plan(tokens=[*lex(f"set {scope}{engine_setting(name)} to "), *value])


def _show(cursor: Cursor) -> Plan:
    """Turn SHOW into a query."""
    if cursor.accept("TABLES", "FROM", "SCHEMA"):
        names = cursor.qualified_name()
        return _call("show_tables", [*_two(names), _pattern(cursor)])
    if cursor.accept("COLUMNS", "FROM", "TABLE"):
        names = cursor.qualified_name()
        if len(names) != 3:
            raise refuse("SHOW COLUMNS of a name without database and schema")
        return _call("show_columns", names)
    if cursor.accept("SCHEMAS", "FROM", "DATABASE"):
        return _call("show_schemas", [cursor.next().name, _pattern(cursor)])
    if cursor.accept("GRANTS", "ON"):
        cursor.accept("TABLE")
        names = cursor.qualified_name()
        if len(names) != 3:
            raise refuse("SHOW GRANTS of a name without database and schema")
        return _call("show_grants", names)
    name = "timezone" if cursor.accept("TIME", "ZONE") else cursor.next().name
    if not cursor.done:
        raise refuse(f"SHOW {name.upper()}")
    return Plan(tokens=lex(f"select {show_setting(name)} as {name}"))


def _two(names: list[str]) -> list[str]:
    if len(names) != 2:
        raise refuse("SHOW of a schema without its database")
    return names


def _pattern(cursor: Cursor) -> str:
    return cursor.next().value if cursor.accept("LIKE") else "%"


def _call(function: str, arguments: list[str]) -> Plan:
    values = ", ".join(literal(a).text for a in arguments)
    return Plan(tokens=lex(f"select * from pg_standin.{function}({values})"))
