"""CREATE, ALTER, DROP and the other statements that change relations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.standin.admin import plan_create_principal
from tests.standin.backend import Backend
from tests.standin.errors import SqlError, refuse
from tests.standin.lexer import Cursor, Token, dotted, lex, literal, quote, render
from tests.standin.plan import Plan, script
from tests.standin.queries import fold_identifiers, translate_query
from tests.standin.table_ddl import (
    Attributes,
    column_type,
    read_attributes,
    read_column,
    read_definitions,
)

NO_BINDING = ("WITH", "NO", "SCHEMA", "BINDING")


async def _create(cursor: Cursor, backend: Backend) -> Plan:
    replace = cursor.accept("OR", "REPLACE")
    cursor.accept("LOCAL")
    temporary = cursor.accept("TEMPORARY") or cursor.accept("TEMP")
    if cursor.accept("TABLE"):
        return await _create_table(cursor, temporary, backend)
    if not temporary and cursor.accept("VIEW"):
        return await _create_view(cursor, replace, backend)
    if cursor.accept("MATERIALIZED", "VIEW"):
        return await _create_materialized_view(cursor, backend)
    if cursor.accept("SCHEMA"):
        return _create_schema(cursor)
    if cursor.accept("FUNCTION"):
        return await _create_function(cursor, replace, backend)
    if cursor.peek("USER") or cursor.peek("GROUP") or cursor.peek("ROLE"):
        return plan_create_principal(cursor)
    raise refuse(f"CREATE {cursor.next().text.upper()}")


async def _create_table(cursor: Cursor, temporary: bool, backend: Backend) -> Plan:
    maybe = " if not exists" if cursor.accept("IF", "NOT", "EXISTS") else ""
    name = dotted(cursor.qualified_name())
    inside = cursor.group() if cursor.peek("(") else []
    attributes = Attributes()
    read_attributes(cursor, attributes)
    head = f"create {'temporary ' if temporary else ''}table{maybe} {name}"
    if cursor.accept("AS"):
        names = f" ({render(fold_identifiers(inside))})" if inside else ""
        query = render(await translate_query(cursor.rest(), backend))
        settle = f"select pg_standin.settle_types({literal(name).text})"
        log = f"select pg_standin.log_write({literal(name).text})"
        return script("SELECT", f"{head}{names} as {query}", settle, attributes.insert(name), log)
    if not cursor.done:
        raise cursor.error("expected a table attribute or AS")
    definitions = read_definitions(inside, attributes)
    return script("CREATE TABLE", f"{head} ({definitions.sql()})", attributes.insert(name))


async def _create_view(cursor: Cursor, replace: bool, backend: Backend) -> Plan:
    parts = cursor.qualified_name()
    name = dotted(parts)
    columns = f" ({render(fold_identifiers(cursor.group()))})" if cursor.peek("(") else ""
    cursor.expect("AS")
    query = cursor.rest()
    head = f"create {'or replace ' if replace else ''}view {name}"
    if [t.keyword for t in query[-4:]] != list(NO_BINDING):
        body = render(await translate_query(query, backend))
        return script("CREATE VIEW", f"{head}{columns} as {body}")
    if columns:
        raise refuse("a column list of a late-binding view")
    definition = f"create view {'.'.join(parts)} as {render(query)}"
    remember = (
        f"insert into pg_standin.late_binding values ({literal(name).text}::regclass, "
        f"{literal(definition).text}) on conflict (oid) do update set definition = "
        "excluded.definition"
    )
    return script("CREATE VIEW", f"{head} as select", remember)


async def _create_materialized_view(cursor: Cursor, backend: Backend) -> Plan:
    text = render(cursor.tokens)
    parts = cursor.qualified_name()
    storage = dotted(storage_of(parts))
    name = dotted(parts)
    attributes = Attributes()
    refresh = read_attributes(cursor, attributes)
    cursor.expect("AS")
    query = render(await translate_query(cursor.rest(), backend))
    remember = (
        f"insert into pg_standin.materialized_view values ({literal(name).text}::regclass, "
        f"{literal(storage).text}::regclass, {literal(f'create {text}').text}, {refresh})"
    )
    return script(
        "CREATE MATERIALIZED VIEW",
        f"create materialized view {storage} as {query}",
        f"create view {name} as select * from {storage}",
        remember,
        attributes.insert(storage),
    )


def storage_of(view: list[str]) -> list[str]:
    """Return the name of the table in which a materialized view keeps its rows."""
    return [*view[:-1], f"mv_tbl__{view[-1]}__0"]


def _create_schema(cursor: Cursor) -> Plan:
    maybe = " if not exists" if cursor.accept("IF", "NOT", "EXISTS") else ""
    sql = f"create schema{maybe} {quote(cursor.qualified_name()[-1])}"
    if cursor.accept("AUTHORIZATION"):
        sql += f" authorization {quote(cursor.next().name)}"
    if not cursor.done and not cursor.peek("QUOTA"):
        raise refuse(f"CREATE SCHEMA ... {cursor.next().text.upper()}")
    return script("CREATE SCHEMA", sql)


async def _create_function(cursor: Cursor, replace: bool, backend: Backend) -> Plan:
    """Plan a scalar function in SQL: its body is translated as any query."""
    name = dotted(cursor.qualified_name())
    output: list[Token] = []
    language = ""
    for at, token in enumerate(cursor.tokens[cursor.at :], cursor.at):
        if cursor.tokens[at - 1].spells("LANGUAGE"):
            language = token.name
        if token.kind == "string" and cursor.tokens[at - 1].spells("AS"):
            body = render(await translate_query(lex(token.value), backend))
            token = Token("string", f"$standin${body}$standin$")
        output.append(token)
    if language != "sql":
        raise refuse(f"LANGUAGE {language}")
    return script(
        "CREATE FUNCTION",
        f"create {'or replace ' if replace else ''}function {name} {render(output)}",
    )


async def _alter(cursor: Cursor, backend: Backend) -> Plan:
    if cursor.accept("TABLE"):
        return _alter_table(cursor, backend)
    if cursor.accept("MATERIALIZED", "VIEW"):
        name = dotted(cursor.qualified_name())
        cursor.expect("AUTO", "REFRESH")
        return script(
            "ALTER MATERIALIZED VIEW",
            f"update pg_standin.materialized_view set autorefresh = {cursor.next().spells('YES')} "
            f"where oid = {literal(name).text}::regclass",
        )
    if cursor.peek("SCHEMA") or cursor.peek("USER") or cursor.peek("GROUP"):
        if cursor.peek("USER"):
            return _alter_user(cursor)
        return Plan(tokens=[*lex("alter"), *fold_identifiers(cursor.rest())])
    if cursor.peek("DEFAULT", "PRIVILEGES"):
        rest = [t for t in fold_identifiers(cursor.rest()) if not t.spells("ROLE")]
        return Plan(tokens=[*lex("alter"), *rest])
    raise refuse(f"ALTER {cursor.next().text.upper()}")


def _alter_user(cursor: Cursor) -> Plan:
    cursor.expect("USER")
    name = quote(cursor.next().name)
    rest = cursor.rest()
    if rest and rest[0].spells("SET", "RESET"):
        setting = rest[1].name
        own = setting.startswith("enable_") or setting == "query_group"
        rest = [rest[0], *lex(f" standin.{setting}" if own else f" {setting}"), *rest[2:]]
    return Plan(tokens=[*lex(f"alter role {name}"), *rest])


def _alter_table(cursor: Cursor, backend: Backend) -> Plan:
    name = dotted(cursor.qualified_name())
    head = f"alter table {name}"
    oid = f"{literal(name).text}::regclass"
    if cursor.peek("RENAME") or cursor.peek("OWNER"):
        return script("ALTER TABLE", f"{head} {render(fold_identifiers(cursor.rest()))}")
    if cursor.accept("ADD"):
        if any(cursor.peek(w) for w in ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN")):
            return script("ALTER TABLE", f"select {oid}")
        cursor.accept("COLUMN")
        column = read_column(cursor, Attributes(), set())
        if column.not_null and not column.has_default:
            raise SqlError("0A000", "ALTER TABLE ADD COLUMN defined as NOT NULL must have a "
                           "non-null default expression")  # fmt: skip
        null = " not null" if column.not_null else ""
        return script("ALTER TABLE", f"{head} add column {column.sql}{null}")
    if cursor.accept("DROP"):
        if cursor.peek("CONSTRAINT"):
            return script("ALTER TABLE", f"select {oid}")
        return script("ALTER TABLE", f"{head} drop {render(fold_identifiers(cursor.rest()))}")
    if cursor.accept("ALTER"):
        return _alter_layout(cursor, head, oid, backend)
    raise refuse(f"ALTER TABLE ... {cursor.next().text.upper()}")


def _alter_layout(cursor: Cursor, head: str, oid: str, backend: Backend) -> Plan:
    if cursor.accept("COLUMN"):
        column = cursor.next().name
        if cursor.accept("ENCODE"):
            return script("ALTER TABLE", f"select {oid}")
        cursor.expect("TYPE")
        kind = cursor.next()
        size = render(cursor.group()) if cursor.peek("(") else ""
        if kind.name not in ("varchar", "varbyte", "character"):
            raise SqlError("0A000", f"ALTER COLUMN TYPE {kind.name} is not supported")
        if backend.status == b"T":
            raise SqlError(
                "25001", "ALTER TABLE ALTER COLUMN cannot run inside a transaction block"
            )
        sql = f"{head} alter column {quote(column)} type {column_type(column, [kind], size)}"
        return script("ALTER TABLE", sql)
    attributes = Attributes()
    if cursor.accept("DISTKEY"):
        attributes.diststyle, attributes.distkey = "KEY", cursor.next().name
    else:
        if cursor.accept("DISTSTYLE", "KEY"):
            cursor.expect("DISTKEY")
            attributes.diststyle, attributes.distkey = "KEY", cursor.next().name
        read_attributes(cursor, attributes)
    if not cursor.done:
        raise refuse(f"ALTER TABLE ... ALTER {cursor.next().text.upper()}")
    keys = ", ".join(literal(k).text for k in attributes.sortkeys)
    changes = []
    if attributes.sortstyle or attributes.sortkeys:
        changes.append(f"sortkeys = array[{keys}]::text[]")
    else:
        distkey = literal(attributes.distkey).text if attributes.distkey else "null"
        changes.append(f"diststyle = {literal(attributes.diststyle).text}, distkey = {distkey}")
    return script(
        "ALTER TABLE", f"update pg_standin.relation set {', '.join(changes)} where oid = {oid}"
    )


async def _drop(cursor: Cursor, backend: Backend) -> Plan:
    if cursor.accept("MATERIALIZED", "VIEW"):
        return await _drop_materialized_view(cursor, backend)
    kind = cursor.next().name
    if kind not in ("table", "view", "schema", "user", "group", "role", "function"):
        raise refuse(f"DROP {kind.upper()}")
    if kind == "schema":
        maybe = " if exists" if cursor.accept("IF", "EXISTS") else ""
        name = quote(cursor.qualified_name()[-1])  # a database may stand before it
        return script("DROP SCHEMA", f"drop schema{maybe} {name} {render(cursor.rest())}")
    rest = render(fold_identifiers(cursor.rest()))
    if kind in ("user", "group", "role"):
        rest = rest.removesuffix(" force").removesuffix(" FORCE")
    return script(f"DROP {kind.upper()}", f"drop {kind} {rest}")


async def _drop_materialized_view(cursor: Cursor, backend: Backend) -> Plan:
    maybe = " if exists" if cursor.accept("IF", "EXISTS") else ""
    parts = cursor.qualified_name()
    cascade = " cascade" if cursor.accept("CASCADE") else ""
    cursor.accept("RESTRICT")
    known = await backend.query(
        f"select pg_standin.is_materialized(to_regclass({literal(dotted(parts)).text}))"
    )
    if known != [["t"]] and not maybe:
        raise SqlError("42P01", f'materialized view "{parts[-1]}" does not exist')
    return script(
        "DROP MATERIALIZED VIEW",
        f"drop view{maybe} {dotted(parts)}{cascade}",
        f"drop materialized view{maybe} {dotted(storage_of(parts))}{cascade}",
    )


async def _refresh(cursor: Cursor, backend: Backend) -> Plan:
    cursor.expect("MATERIALIZED", "VIEW")
    name = dotted(storage_of(cursor.qualified_name()))
    return script("REFRESH MATERIALIZED VIEW", f"refresh materialized view {name}")


async def _truncate(cursor: Cursor, backend: Backend) -> Plan:
    """TRUNCATE commits the transaction in which it runs."""
    cursor.accept("TABLE")
    name = dotted(cursor.qualified_name())

    async def run(backend: Backend) -> str:
        inside = backend.status == b"T"
        await backend.query(f"truncate table {name}{'; commit' if inside else ''}")
        return "TRUNCATE TABLE"

    return Plan(run=run)


PLANNERS: dict[str, Callable[[Cursor, Backend], Awaitable[Plan]]] = {
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "REFRESH": _refresh,
    "TRUNCATE": _truncate,
}
