"""Users, groups, roles, grants, comments, locks and maintenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.standin.errors import SqlError, refuse
from tests.standin.lexer import (
    QUOTED,
    Cursor,
    Token,
    dotted,
    lex,
    literal,
    quote,
    render,
    split_commas,
)
from tests.standin.plan import Plan, script


def plan_create_principal(cursor: Cursor) -> Plan:
    """CREATE USER, GROUP or ROLE: all are roles of the engine; a comment says what they were."""
    kind = cursor.next().name
    name = quote(cursor.next().name)
    steps = [f"create role {name} {'login' if kind == 'user' else ''}"]
    cursor.accept("WITH")
    while not cursor.done:
        if kind == "user" and cursor.accept("PASSWORD"):
            if not cursor.accept("DISABLE"):
                steps.append(f"alter role {name} password {literal(cursor.next().value).text}")
        elif kind == "user" and cursor.accept("CREATEDB"):
            steps.append(f"alter role {name} createdb")
        elif kind == "user" and cursor.accept("CREATEUSER"):
            steps.append(f"alter role {name} superuser")
        elif kind == "user" and cursor.accept("IN", "GROUP"):
            steps.append(f"grant {quote(cursor.next().name)} to {name}")
        elif not (cursor.accept("NOCREATEDB") or cursor.accept("NOCREATEUSER")):
            raise refuse(f"CREATE {kind.upper()} ... {cursor.next().text.upper()}")
    if kind == "group":
        steps.append(f"comment on role {name} is 'group'")
    return script(f"CREATE {kind.upper()}", *steps)


def _grant(tokens: Sequence[Token]) -> Plan:
    """GRANT and REVOKE: the engine knows no word ROLE before a name, and one kind of role only."""
    if any(t.spells("ASSUMEROLE", "DATASHARE", "MODEL", "MASKING", "RLS") for t in tokens):
        raise refuse(f"{tokens[0].text.upper()} of this kind")
    ends = [at for at, token in enumerate(tokens) if token.spells("TO", "FROM")]
    if not ends:
        raise SqlError("42601", f"syntax error: {tokens[0].text} names nobody")
    given, grantees = tokens[1 : ends[-1]], split_commas(tokens[ends[-1] + 1 :])
    of_roles = not any(token.spells("ON") for token in given)
    if of_roles and not all(part[0].spells("ROLE") for part in split_commas(given)):
        raise refuse(f"{tokens[0].text.upper()} of a system permission, or of a role without ROLE")
    checks = [_check_grantee(part) for part in grantees]
    kept = render(_folded([token for token in tokens if not token.spells("ROLE")]))
    return script(tokens[0].text.upper(), *checks, kept)


def _check_grantee(tokens: Sequence[Token]) -> str:
    """Return the statement that fails unless the grantee is of the kind that it is called."""
    cursor = Cursor(tokens)
    kind = next((word for word in ("ROLE", "GROUP") if cursor.accept(word)), "USER").lower()
    name = cursor.next().name
    if kind != "user" and cursor.accept("WITH"):
        raise SqlError("0A000", f"a {kind} cannot pass on what it is granted")
    return f"select pg_standin.check_identity({literal(name).text}, {literal(kind).text})"


def _comment(tokens: Sequence[Token]) -> Plan:
    return Plan(tokens=_folded(tokens))


def _folded(tokens: Sequence[Token]) -> list[Token]:
    return [Token(t.kind, t.text.lower(), t.spaced) if t.kind == QUOTED else t for t in tokens]


def _lock(tokens: Sequence[Token]) -> Plan:
    """LOCK takes an access exclusive lock on both engines."""
    cursor = Cursor(tokens[1:])
    cursor.accept("TABLE")
    names = [dotted(cursor.qualified_name())]
    while cursor.accept(","):
        names.append(dotted(cursor.qualified_name()))
    if not cursor.done:
        raise cursor.error("Redshift's LOCK has no mode")
    return Plan(tokens=lex(f"lock table {', '.join(names)}"))


def _analyze(tokens: Sequence[Token]) -> Plan:
    cursor = Cursor(tokens[1:])
    if cursor.peek("COMPRESSION"):
        raise refuse("ANALYZE COMPRESSION")
    cursor.accept("VERBOSE")
    name = "" if cursor.done else dotted(cursor.qualified_name())
    return Plan(tokens=lex(f"analyze {name}"))


def _vacuum(tokens: Sequence[Token]) -> Plan:
    """VACUUM has nothing to do here, but may not stand in a transaction."""

    async def run(backend: object) -> str:
        if getattr(backend, "status", b"I") == b"T":
            raise SqlError("25001", "VACUUM cannot run inside a transaction block")
        return "VACUUM"

    return Plan(run=run)


PLANNERS: dict[str, Callable[[Sequence[Token]], Plan]] = {
    "GRANT": _grant,
    "REVOKE": _grant,
    "COMMENT": _comment,
    "LOCK": _lock,
    "ANALYZE": _analyze,
    "VACUUM": _vacuum,
}
