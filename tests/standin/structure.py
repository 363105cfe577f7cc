"""Where the SELECTs of a statement begin and end, what their clauses are and what they read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.standin.lexer import OPERATOR, WORD, Token, closing, split_commas

SET_OPERATIONS = ("UNION", "INTERSECT", "EXCEPT", "MINUS")
CLAUSES = ("FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "OFFSET")
JOINS = ("JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "NATURAL", "OUTER")
AFTER_ITEM = frozenset(
    (*CLAUSES, *JOINS, *SET_OPERATIONS, "ON", "USING", "SET", "WHEN", "AS", "AT", "PIVOT",
     "UNPIVOT", "TABLESAMPLE", "FETCH", "FOR", "WITH", "VALUES", "SELECT", "DEFAULT")
)  # fmt: skip
OPERATOR_WORDS = frozenset(
    ("IS", "NOT", "AND", "OR", "THEN", "ELSE", "WHEN", "LIKE", "ILIKE", "IN", "BETWEEN", "CASE",
     "DISTINCT", "ALL", "TO", "AS")
)  # fmt: skip


@dataclass
class FromItem:
    """One thing that a FROM clause reads: tokens[start:end] without its alias."""

    kind: str  # 'table', 'query', 'function' or 'super' (an unnested SUPER expression)
    parts: list[str]
    alias: str
    start: int
    end: int
    full_end: int
    index_alias: str = ""


@dataclass
class Select:
    """One SELECT, UPDATE, DELETE or MERGE: tokens[start:end] and the ranges of its clauses."""

    start: int
    end: int
    clauses: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: list[FromItem] = field(default_factory=list)
    parent: Select | None = None

    def aliases(self) -> Iterator[FromItem]:
        """Yield what names can refer to: own items, then those of the enclosing statements."""
        yield from self.items
        if self.parent:
            yield from self.parent.aliases()


def find_selects(tokens: Sequence[Token]) -> list[Select]:
    """Find all SELECTs (and a leading UPDATE, DELETE or MERGE), outer before inner."""
    found: list[Select] = []
    ends = [len(tokens)]
    if tokens and tokens[0].spells("UPDATE", "DELETE", "MERGE"):
        found.append(_modification(tokens))
    for at, token in enumerate(tokens):
        while at == ends[-1] and len(ends) > 1:
            ends.pop()
        if token.spells("(", "["):
            ends.append(closing(tokens, at))
        elif token.spells("SELECT") and not (at and tokens[at - 1].spells(".")):
            found.append(_select(tokens, at, ends[-1]))
    for inner in found:
        outer = [s for s in found if s.start < inner.start and inner.end <= s.end]
        inner.parent = outer[-1] if outer else None
    for select in found:  # outer first: an inner item may unnest an outer one
        if "FROM" in select.clauses:
            select.items += find_items(tokens, *select.clauses["FROM"], select)
    return found


def _select(tokens: Sequence[Token], start: int, limit: int) -> Select:
    select = Select(start, limit)
    current, since = "SELECT", start + 1
    at = start + 1
    while at < limit:
        token = tokens[at]
        if token.spells("(", "["):
            at = closing(tokens, at) + 1
            continue
        if token.spells(*SET_OPERATIONS) or token.spells(";"):
            select.end = at
            break
        if token.spells(*CLAUSES) and not _distinct_from(tokens, at) and current != token.keyword:
            select.clauses[current] = (since, at)
            current, since = token.keyword, at + 1
        at += 1
    select.clauses[current] = (since, select.end)
    return select


def _distinct_from(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].spells("FROM") and tokens[at - 1].spells("DISTINCT")


def _modification(tokens: Sequence[Token]) -> Select:
    """Describe UPDATE t SET .. FROM .., DELETE FROM t USING .., MERGE INTO t USING .. ON .."""
    select = Select(0, len(tokens))
    at = 1
    while at < len(tokens) and tokens[at].spells("FROM", "INTO", "ONLY"):
        at += 1
    select.items = find_items(tokens, at, _item_end(tokens, at), select)
    while at < len(tokens):
        if tokens[at].spells("(", "["):
            at = closing(tokens, at) + 1
            continue
        if tokens[at].spells("FROM", "USING") and not _distinct_from(tokens, at):
            end = at + 1
            while end < len(tokens) and not tokens[end].spells("WHERE", "ON", "WHEN", "SET"):
                end = closing(tokens, end) + 1 if tokens[end].spells("(") else end + 1
            select.clauses["FROM"] = (at + 1, end)
            break
        at += 1
    return select


def _item_end(tokens: Sequence[Token], at: int) -> int:
    while at < len(tokens) and not tokens[at].spells("SET", "USING", "WHERE", "FROM"):
        at += 1
    return at


def find_items(tokens: Sequence[Token], start: int, end: int, select: Select) -> list[FromItem]:
    """Read the items of a FROM clause, going into bracketed joins."""
    items: list[FromItem] = []
    at, expects_item = start, True
    while at < end:
        token = tokens[at]
        if expects_item and token.spells("("):
            close = closing(tokens, at)
            if tokens[at + 1].spells("SELECT", "WITH", "(", "VALUES"):
                items.append(_with_alias(tokens, FromItem("query", [], "", at, close + 1, 0), end))
                at = items[-1].full_end
            else:
                items += find_items(tokens, at + 1, close, select)
                at = close + 1
            expects_item = False
        elif expects_item and token.name and token.keyword not in (*JOINS, "LATERAL"):
            items.append(_named(tokens, at, end, items, select))
            at, expects_item = items[-1].full_end, False
        elif token.spells(",", "JOIN"):
            at, expects_item = at + 1, True
        elif token.spells("("):
            at = closing(tokens, at) + 1
        else:
            at += 1
    return items


def _named(
    tokens: Sequence[Token], at: int, limit: int, before: list[FromItem], select: Select
) -> FromItem:
    start, parts = at, [tokens[at].name]
    at += 1
    bracketed = False
    while at < limit and tokens[at].spells(".", "["):
        if tokens[at].spells("["):
            bracketed, at = True, closing(tokens, at) + 1
        else:
            parts.append(tokens[at + 1].name)
            at += 2
    if at < limit and tokens[at].spells("("):
        kind, at = "function", closing(tokens, at) + 1
    else:
        known = [*before, *select.aliases()]
        unnests = bracketed or (len(parts) > 1 and any(i.alias == parts[0] for i in known))
        kind = "super" if unnests else "table"
    return _with_alias(tokens, FromItem(kind, parts, parts[-1], start, at, 0), limit)


def _with_alias(tokens: Sequence[Token], item: FromItem, limit: int) -> FromItem:
    at = item.end
    if at < limit and tokens[at].spells("AS"):
        at += 1
    if at < limit and tokens[at].name and tokens[at].keyword not in AFTER_ITEM:
        item.alias = tokens[at].name
        at += 1
        if at < limit and tokens[at].spells("("):
            at = closing(tokens, at) + 1
    if at + 1 < limit and tokens[at].spells("AT"):
        item.index_alias = tokens[at + 1].name
        at += 2
    item.full_end = at
    return item


def owner(selects: Sequence[Select], at: int) -> Select | None:
    """Return the innermost SELECT around a token."""
    around = [s for s in selects if s.start <= at < s.end]
    return max(around, key=lambda s: s.start) if around else None


def select_list(tokens: Sequence[Token], select: Select) -> list[tuple[int, int]]:
    """Return the range of each entry of a SELECT list."""
    start, end = select.clauses.get("SELECT", (0, 0))
    while start < end and tokens[start].spells("DISTINCT", "ALL"):
        start += 1
    ranges = []
    for part in split_commas(tokens[start:end]):
        ranges.append((start, start + len(part)))
        start += len(part) + 1
    return ranges


def explicit_alias(tokens: Sequence[Token], start: int, end: int) -> tuple[str, int]:
    """Return the alias of a SELECT entry and where its expression ends; '' if it has none."""
    if end - start > 2 and tokens[end - 2].spells("AS"):
        return tokens[end - 1].name, end - 2
    if end - start > 1 and tokens[end - 1].name and _ends_operand(tokens[end - 2]):
        return tokens[end - 1].name, end - 1
    return "", end


def _ends_operand(token: Token) -> bool:
    if token.kind == WORD:
        return token.keyword not in OPERATOR_WORDS
    return token.kind != OPERATOR or token.spells(")", "]")


def cte_names(tokens: Sequence[Token]) -> set[str]:
    """Return the names that WITH clauses define anywhere in a statement."""
    names: set[str] = set()
    for at, token in enumerate(tokens):
        if token.spells("WITH") and at + 2 < len(tokens):
            for name, _, _ in ctes(tokens, at):
                names.add(name)
    return names


def ctes(tokens: Sequence[Token], at: int) -> Iterator[tuple[str, int, int]]:
    """Yield each definition of the WITH at `at`: its name and the range of tokens it takes."""
    at += 2 if tokens[at + 1].spells("RECURSIVE") else 1
    while at < len(tokens) and tokens[at].name:
        start, name = at, tokens[at].name
        at += 1
        if at < len(tokens) and tokens[at].spells("("):
            at = closing(tokens, at) + 1
        if at + 1 >= len(tokens) or not tokens[at].spells("AS") or not tokens[at + 1].spells("("):
            return
        at = closing(tokens, at + 1) + 1
        yield name, start, at
        if at >= len(tokens) or not tokens[at].spells(","):
            return
        at += 1
