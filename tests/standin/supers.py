"""SUPER: navigation by dots and brackets, unnesting in FROM, literals.

Only a SUPER value has parts, so a dotted name that goes on behind a column is a navigation; what
the column is follows from the aliases in scope, without a catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.standin.errors import refuse
from tests.standin.lexer import (
    NUMBER,
    QUOTED,
    STRING,
    Token,
    closing,
    lex,
    literal,
    quote,
    render,
)
from tests.standin.structure import FromItem, Select, explicit_alias, find_selects, owner
from tests.standin.structure import select_list as entries

COMPARISONS = ("=", "<>", "!=", "<", ">", "<=", ">=")


@dataclass
class _Chain:
    """A dotted or bracketed name: tokens[start:end], its parts, and how many name the column."""

    start: int
    end: int
    parts: list[Token]
    column: int


def rewrite_super(tokens: list[Token]) -> list[Token]:
    """Turn navigation and unnesting into function calls of the engine."""
    selects = find_selects(tokens)
    items = [i for s in selects for i in s.items]
    names = [(i.start, i.end) for i in items if i.kind in ("table", "function")]
    chains = [c for c in _chains(tokens, selects, names) if len(c.parts) > c.column]
    replaced: dict[int, tuple[int, list[Token]]] = {}
    for chain in chains:
        replaced[chain.start] = (chain.end, _navigation(tokens, chain))
    for item in items:
        if item.kind == "super":
            inner = replaced.pop(item.start, (0, tokens[item.start : item.end]))[1]
            replaced[item.start] = (item.full_end, _unnest(inner, item))
    for select in selects:
        _name_columns(tokens, select, chains, replaced)
    output: list[Token] = []
    at = 0
    while at < len(tokens):
        if at in replaced:
            end, instead = replaced[at]
            output += _compared(tokens, at, instead, output)
            at = end
            literal_end = _comparison_literal(tokens, at) if at - 1 < len(tokens) else None
            if literal_end is not None and instead and instead[0].text == "pg_standin":
                output.append(tokens[at])
                output += _super_literal(tokens[at + 1])
                at = literal_end
            continue
        if _casts_literal(tokens, at):
            output += _super_literal(tokens[at])
            at += 3
            continue
        output.append(tokens[at])
        at += 1
    return output


def _chains(
    tokens: Sequence[Token], selects: Sequence[Select], names: Sequence[tuple[int, int]]
) -> list[_Chain]:
    found: list[_Chain] = []
    at = 0
    while at < len(tokens):
        start, token = at, tokens[at]
        at += 1
        if not token.name or at >= len(tokens) or not tokens[at].spells(".", "["):
            continue
        if any(s <= start < e for s, e in names):
            continue
        parts = [token]
        while at < len(tokens) and tokens[at].spells(".", "["):
            if tokens[at].spells("["):
                end = closing(tokens, at)
                inside = tokens[at + 1 : end]
                if len(inside) != 1 or inside[0].kind not in (NUMBER, STRING):
                    raise refuse("a subscript that is not a literal")
                parts.append(inside[0])
                at = end + 1
            elif tokens[at + 1].spells("*"):
                at += 2
                parts = []
                break
            else:
                parts.append(tokens[at + 1])
                at += 2
        select = owner(selects, start)
        if not parts or select is None or (at < len(tokens) and tokens[at].spells("(")):
            continue
        found.append(_Chain(start, at, parts, _column_length(parts, select)))
    return found


def _column_length(parts: Sequence[Token], select: Select) -> int:
    """Return how many leading parts of a name spell the column; the rest navigates."""
    names = [p.name for p in parts]
    for item in select.aliases():
        if item.kind == "super" and item.alias == names[0]:
            return 1
        if item.alias == names[0] or item.index_alias == names[0]:
            return min(2, len(parts))
        size = len(item.parts)
        for skipped in range(size - 1):  # schema.table.column, database.schema.table.column
            if item.kind == "table" and names[: size - skipped] == item.parts[skipped:]:
                return min(size - skipped + 1, len(parts))
    return 1


def _navigation(tokens: Sequence[Token], chain: _Chain) -> list[Token]:
    column = chain.parts[: chain.column]
    sql = ".".join(quote(p.name) for p in column)
    for part in chain.parts[chain.column :]:
        if part.kind == NUMBER:
            sql = f"pg_standin.at({sql}, {part.text})"
        elif part.kind == STRING:
            sql = f"pg_standin.get({sql}, {part.text}, true)"
        else:
            spelled = part.text[1:-1] if part.kind == QUOTED else part.text
            sql = f"pg_standin.get({sql}, {literal(spelled).text}, {part.kind == QUOTED})"
    instead = lex(sql)
    instead[0] = Token(instead[0].kind, instead[0].text, tokens[chain.start].spaced)
    return instead


def _unnest(inner: list[Token], item: FromItem) -> list[Token]:
    alias, source = quote(item.alias), render(inner)
    if item.index_alias:
        index = quote(item.index_alias)
        sql = f"pg_standin.numbered_items({source}) as {alias}({alias}, {index})"
    else:
        sql = f"pg_standin.items({source}) as {alias}({alias})"
    return [Token("word", "", True), *lex(sql)]


def _name_columns(
    tokens: Sequence[Token],
    select: Select,
    chains: Sequence[_Chain],
    replaced: dict[int, tuple[int, list[Token]]],
) -> None:
    """Give a SELECT entry that is only a navigation the name of its last attribute."""
    for start, end in entries(tokens, select):
        chain = next((c for c in chains if c.start == start), None)
        if chain is None or chain.parts[-1].kind in (NUMBER, STRING):
            continue
        if explicit_alias(tokens, start, end)[0] and not tokens[end - 2].spells(".", "::"):
            continue
        if chain.end == end:
            instead = replaced[start][1]
            replaced[start] = (end, [*instead, *lex(f" as {quote(chain.parts[-1].name)}")])


def _comparison_literal(tokens: Sequence[Token], at: int) -> int | None:
    """Return the end of `= literal` at this place, or None."""
    ahead = tokens[at : at + 3]
    if len(ahead) < 2 or not ahead[0].spells(*COMPARISONS):
        return None
    alone = len(ahead) < 3 or not ahead[2].spells("::", "+", "-", "*", "/", "||")
    return at + 2 if alone and ahead[1].kind in (STRING, NUMBER) else None


def _casts_literal(tokens: Sequence[Token], at: int) -> bool:
    """Say whether a text literal is cast to SUPER here: it is a text, not JSON."""
    ahead = tokens[at : at + 3]
    return (
        len(ahead) == 3
        and ahead[0].kind == STRING
        and ahead[1].spells("::")
        and ahead[2].name == "super"
    )


def _compared(
    tokens: Sequence[Token], at: int, instead: list[Token], output: list[Token]
) -> list[Token]:
    """Wrap a literal that was just written and is compared with this navigation."""
    compares = at >= 2 and len(output) >= 2 and tokens[at - 1].spells(*COMPARISONS)
    navigates = instead[0].text == "pg_standin"
    if compares and navigates and tokens[at - 2].kind in (STRING, NUMBER):
        output[-2:-1] = _super_literal(tokens[at - 2])
    return instead


def _super_literal(token: Token) -> list[Token]:
    kind = "varchar" if token.kind == STRING else "numeric"
    return lex(f" ({token.text}::{kind})::super")
