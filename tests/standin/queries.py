"""Rewriting of queries and DML: a pass per construct, each from tokens to tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tests.standin.backend import Backend
from tests.standin.cases import keep_case_types
from tests.standin.denylist import FUNCTIONS, calls, check_phrases, check_scope
from tests.standin.errors import SqlError, refuse
from tests.standin.functions import rewrite_functions
from tests.standin.lexer import (
    QUOTED,
    STRING,
    WORD,
    Token,
    closing,
    lex,
    literal,
    quote,
    render,
)
from tests.standin.structure import (
    Select,
    cte_names,
    ctes,
    explicit_alias,
    find_selects,
    owner,
    select_list,
)
from tests.standin.supers import rewrite_super

# Where the columns of late-binding views show.
LISTS_COLUMNS = frozenset(
    ["pg_get_late_binding_view_cols", "svv_redshift_columns", "svv_all_columns", "svv_columns"]
)
EXTENDED_ATTRIBUTES = frozenset(["attisdistkey", "attsortkeyord", "attencodingtype"])


@dataclass(frozen=True)
class _Relation:
    user_made: bool
    definition: str | None  # of a late-binding view


async def translate_query(tokens: list[Token], backend: Backend) -> list[Token]:
    """Translate a SELECT, INSERT, UPDATE, DELETE or MERGE. Raises SqlError for what is refused."""
    check_phrases(tokens)
    known = await _check_functions(tokens, backend)
    selects = find_selects(tokens)
    relations = await _look_up(tokens, selects, backend)
    check_scope(known, any(r.user_made for r in relations.values()))
    if any(t.name in LISTS_COLUMNS for t in tokens):
        await describe_late_binding_views(backend, {t.value for t in tokens if t.kind == STRING})
    tokens = rewrite_functions(keep_case_types(fold_identifiers(rewrite_super(tokens))))
    tokens = await _expand_late_binding(tokens, relations, backend)
    if any(t.name in EXTENDED_ATTRIBUTES for t in tokens):
        tokens = _extend_attributes(tokens)
    return await _rewrite_qualify(tokens, backend)


def fold_identifiers(tokens: Sequence[Token]) -> list[Token]:
    """Lower the case of quoted identifiers, as Redshift does."""
    return [Token(t.kind, t.text.lower(), t.spaced) if t.kind == QUOTED else t for t in tokens]


async def _check_functions(tokens: Sequence[Token], backend: Backend) -> set[str]:
    """Return the functions that are called; raise for one that is not known."""
    selects = find_selects(tokens)
    aliases = [(i.end, i.full_end) for s in selects for i in s.items]
    defined = cte_names(tokens)
    used = set()
    for at, name, qualified in calls(tokens):
        if any(s <= at < e for s, e in aliases) or name in defined:
            continue  # a list of column names
        if at and tokens[at - 1].spells("INTO", "AS", "TABLE"):
            continue
        if qualified and tokens[at - 2].name != "pg_catalog":
            if at >= 3 and _is_target(tokens, at):
                continue
            used.add(f"{tokens[at - 2].name}.{name}")
        else:
            used.add(name)
    unknown = sorted(used - FUNCTIONS)
    if unknown:
        names = ", ".join(literal(n.rsplit(".", 1)[-1]).text for n in unknown)
        made = await backend.query(
            f"select proname from pg_proc where proname in ({names}) and pronamespace::regnamespace"
            "::text not in ('pg_catalog', 'pg_standin', 'information_schema')"
        )
        missing = [n for n in unknown if [n.rsplit(".", 1)[-1]] not in made]
        if missing:
            raise refuse(f"function {missing[0]}")
    return used


def _is_target(tokens: Sequence[Token], at: int) -> bool:
    """Say whether a dotted name before a bracket is the table of INSERT INTO or MERGE INTO."""
    while at >= 2 and tokens[at - 1].spells("."):
        at -= 2
    return at > 0 and tokens[at - 1].spells("INTO")


async def _look_up(
    tokens: Sequence[Token], selects: Sequence[Select], backend: Backend
) -> dict[str, _Relation]:
    """Return what the names in the FROM clauses are."""
    defined = cte_names(tokens)
    names = {
        ".".join(quote(p) for p in item.parts)
        for select in selects
        for item in select.items
        if item.kind == "table" and (len(item.parts) > 1 or item.parts[0] not in defined)
    }
    if not names:
        return {}
    values = ", ".join(f"({literal(n).text})" for n in sorted(names))
    rows = await backend.query(
        "select v.name, n.nspname not in ('pg_catalog', 'information_schema'), l.definition "
        f"from (values {values}) v(name) join pg_class c on c.oid = to_regclass(v.name) "
        "join pg_namespace n on n.oid = c.relnamespace "
        "left join pg_standin.late_binding l on l.oid = c.oid"
    )
    return {str(name): _Relation(made == "t", definition) for name, made, definition in rows}


async def _expand_late_binding(
    tokens: list[Token], relations: dict[str, _Relation], backend: Backend
) -> list[Token]:
    """Put the definition of a late-binding view in the place of its name."""
    if not any(r.definition for r in relations.values()):
        return tokens
    for select in find_selects(tokens)[::-1]:
        for item in sorted(select.items, key=lambda i: -i.start):
            relation = relations.get(".".join(quote(p) for p in item.parts))
            if item.kind != "table" or relation is None or relation.definition is None:
                continue
            inner = await translate_query(_body_of_view(relation.definition), backend)
            alias = [] if item.full_end > item.end else lex(f" as {quote(item.parts[-1])}")
            bracketed = [*lex(" ("), *inner, *lex(")"), *alias]
            tokens = [*tokens[: item.start], *bracketed, *tokens[item.end :]]
    return tokens


def _body_of_view(definition: str) -> list[Token]:
    """Return the query of CREATE VIEW ... AS query WITH NO SCHEMA BINDING."""
    tokens = lex(definition)
    return tokens[next(i for i, t in enumerate(tokens) if t.spells("AS")) + 1 : -4]


async def describe_late_binding_views(
    backend: Backend, names: Collection[str] = frozenset()
) -> None:
    """Find out the columns that the late-binding views have now.

    If one of `names` is a relation's, only of those among them: it takes a while for all.
    """
    found = []
    views = await backend.query(
        "select l.oid, l.definition, relname from pg_standin.late_binding l "
        "join pg_class using (oid)"
    )
    if names:
        values = ", ".join(literal(name).text for name in names)
        if await backend.query(f"select from pg_class where relname in ({values}) limit 1"):
            views = [view for view in views if view[2] in names]
    for oid, definition, _ in views:
        try:
            body = await translate_query(_body_of_view(str(definition)), backend)
            columns = await backend.describe(render(body))
        except SqlError:
            continue  # its tables are gone: Redshift lists no columns either
        for position, column in enumerate(columns, 1):
            type_name = f"(select format_type({column.oid}, {column.typmod}))"
            found.append(
                f"(json_build_object('oid', {oid}, 'name', {literal(column.name).text}, "
                f"'type', {type_name}, 'position', {position}))"
            )
    values = f"(select json_agg(c)::text from (values {', '.join(found)}) v(c))" if found else "''"
    await backend.query(f"select set_config('standin.late_binding_columns', {values}, false)")


def _extend_attributes(tokens: Sequence[Token]) -> list[Token]:
    replaced = []
    for token in tokens:
        if token.name == "pg_attribute":
            replaced += lex(" pg_standin.attribute")
        else:
            replaced.append(token)
    return replaced


async def _rewrite_qualify(tokens: list[Token], backend: Backend) -> list[Token]:
    """Turn QUALIFY into a condition of an enclosing SELECT, inner ones first."""
    while True:
        selects = [s for s in find_selects(tokens) if "QUALIFY" in s.clauses]
        if not selects:
            return tokens
        select = max(selects, key=lambda s: s.start)
        start, end = select.clauses["QUALIFY"]
        head, tail = tokens[select.start : start - 1], tokens[end : select.end]
        if head[1].spells("DISTINCT"):
            raise refuse("QUALIFY with DISTINCT")
        names = [c.name for c in await backend.describe(render([*_with(tokens, select), *head]))]
        condition = _inline_all(tokens, select, tokens[start:end])
        inner_names = ", ".join(f"c{i}" for i in range(len(names)))
        outer = ", ".join(f"c{i} as {quote(n)}" for i, n in enumerate(names))
        list_end = select.clauses["SELECT"][1] - select.start
        tokens = [
            *tokens[: select.start],
            *lex(f" select {outer} from ("), *head[:list_end], *lex(", ("), *condition, *lex(")"),
            *head[list_end:], *lex(f") as standin_q ({inner_names}, keep) where keep"), *tail,
            *tokens[select.end :],
        ]  # fmt: skip


def _with(tokens: Sequence[Token], select: Select) -> list[Token]:
    """Return a WITH clause of the definitions that a SELECT can see."""
    seen: list[Token] = []
    for at in range(select.start):
        if tokens[at].spells("WITH") and at + 2 < len(tokens):
            for _, start, end in ctes(tokens, at):
                if end <= select.start:
                    seen += [*(lex(",") if seen else lex("with ")), *tokens[start:end]]
    return seen


def _inline_all(tokens: Sequence[Token], select: Select, condition: Sequence[Token]) -> list[Token]:
    aliases = _aliases(tokens, select)
    output: list[Token] = []
    for at, token in enumerate(condition):
        if _is_bare(condition, at) and token.name in aliases:
            output += [*lex(" ("), *aliases[token.name], *lex(")")]
        else:
            output.append(token)
    return output


def _aliases(tokens: Sequence[Token], select: Select) -> dict[str, list[Token]]:
    """Return the expressions of a SELECT list that have an alias."""
    found = {}
    for start, end in select_list(tokens, select):
        name, stop = explicit_alias(tokens, start, end)
        if name:
            found[name] = list(tokens[start:stop])
    return found


def _is_bare(tokens: Sequence[Token], at: int) -> bool:
    """Say whether a token is a name by itself, neither qualified nor called."""
    before = at > 0 and tokens[at - 1].spells(".", "AS")
    after = at + 1 < len(tokens) and tokens[at + 1].spells(".", "(")
    return tokens[at].kind in (WORD, QUOTED) and not before and not after


def may_use_aliases(tokens: Sequence[Token]) -> bool:
    """Say whether an entry of a SELECT list may refer to the alias of an earlier one."""
    for select in find_selects(tokens):
        earlier: set[str] = set()
        for start, end in select_list(tokens, select):
            name, stop = explicit_alias(tokens, start, end)
            if any(t.name in earlier for t in tokens[start:stop]):
                return True
            if name:
                earlier.add(name)
    return False


def inline_alias(tokens: list[Token], place: int) -> list[Token] | None:
    """Replace the unknown column at character `place` (from 1) by the expression of its alias."""
    position = 0
    for at, token in enumerate(tokens):
        position += len(token.text) + (1 if token.spaced and at else 0)
        if position >= place:
            break
    else:
        return None
    select = owner(find_selects(tokens), at)
    if select is None or not _is_bare(tokens, at):
        return None
    start, end = select.clauses.get("SELECT", (0, 0))
    expression = _aliases(tokens, select).get(token.name)
    if expression is None or not start <= at < end:
        return None
    return [*tokens[:at], *lex(" ("), *expression, *lex(")"), *tokens[at + 1 :]]


def unbracket(tokens: list[Token]) -> list[Token]:
    """Remove the brackets around a whole query."""
    while tokens and tokens[0].spells("(") and closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens
