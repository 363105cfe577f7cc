"""Function calls and types whose spelling differs between Redshift and the engine."""

from __future__ import annotations

from collections.abc import Sequence

from tests.standin.errors import SqlError, refuse
from tests.standin.lexer import (
    STRING,
    WORD,
    Token,
    closing,
    lex,
    literal,
    render,
    split_commas,
)
from tests.standin.settings import show_setting

RENAMED = {
    "nvl": "coalesce",
    "array": "pg_standin.super_array",
    "object": "pg_standin.super_object",
    "json_serialize": "pg_standin.json_serialize",
}
# The first argument of each that is a date; a text literal there is a timestamp.
DATE_ARGUMENTS = {
    "dateadd": 2,
    "datediff": 1,
    "date_part": 1,
    "date_trunc": 1,
    "last_day": 0,
    "add_months": 0,
}
TYPES = {"datetime": "timestamp", "nvarchar": "varchar", "nchar": "char", "number": "decimal"}


def rewrite_functions(tokens: Sequence[Token]) -> list[Token]:
    """Rewrite all calls, the innermost first."""
    output: list[Token] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        after_dot = bool(output) and output[-1].spells(".")
        if token.spells("MINUS"):
            output.append(Token(WORD, "except"))
        elif token.spells("APPROXIMATE"):
            pass
        elif token.spells("SYSDATE", "CURRENT_USER_ID") and not after_dot:
            output += [token, *lex("()")]
        elif token.spells("::") and at + 1 < len(tokens):
            taken, type_tokens = read_type(tokens, at + 1)
            output += [token, *type_tokens]
            at = taken
            continue
        elif token.name and not after_dot and _called(tokens, at):
            end = closing(tokens, at + 1)
            inside = rewrite_functions(tokens[at + 2 : end])
            rewritten, taken = _call(token, inside, tokens[end + 1 :])
            output += rewritten
            at = end + 1 + taken
            continue
        else:
            output.append(token)
        at += 1
    return output


def _called(tokens: Sequence[Token], at: int) -> bool:
    return at + 1 < len(tokens) and tokens[at + 1].spells("(")


def _call(token: Token, inside: list[Token], rest: Sequence[Token]) -> tuple[list[Token], int]:
    """Rewrite one call; return its tokens, and how many of the `rest` belong to it."""
    name = token.name
    arguments = split_commas(inside)
    if name in DATE_ARGUMENTS and arguments:
        return _with_dates(token, arguments), 0
    if name == "nvl2" and len(arguments) == 3:
        a, b, c = (render(x) for x in arguments)
        return lex(f" case when ({a}) is not null then ({b}) else ({c}) end"), 0
    if name == "cast":
        return [token, *lex("("), *_cast_body(inside), *lex(")")], 0
    if name == "try_cast":
        return _try_cast(inside), 0
    if name == "listagg":
        return _listagg(inside, rest)
    if name == "percentile_cont":
        return _percentile(inside, rest)
    if name == "current_setting" and len(inside) == 1 and inside[0].kind == STRING:
        return lex(f" {show_setting(inside[0].value.lower())}"), 0
    if name in RENAMED and token.kind == WORD:
        return [*lex(f" {RENAMED[name]}("), *inside, *lex(")")], 0
    return [token, *lex("("), *inside, *lex(")")], 0


def _with_dates(token: Token, arguments: list[list[Token]]) -> list[Token]:
    """Quote the date part, and take text literals for timestamps."""
    first = DATE_ARGUMENTS[token.name]
    if first and len(arguments[0]) == 1 and arguments[0][0].kind == WORD:
        arguments[0] = [literal(arguments[0][0].name)]
    for i in range(first, len(arguments)):
        if len(arguments[i]) == 1 and arguments[i][0].kind == STRING:
            arguments[i] = [*arguments[i], *lex("::timestamp")]
    joined = arguments[0]
    for argument in arguments[1:]:
        joined = [*joined, *lex(","), *argument]
    return [token, *lex("("), *joined, *lex(")")]


def _split_as(inside: Sequence[Token]) -> tuple[list[Token], int]:
    """Split `expression AS type`; return the expression and where the type begins."""
    depth = 0
    for at, token in enumerate(inside):
        depth += token.spells("(", "[") - token.spells(")", "]")
        if depth == 0 and token.spells("AS"):
            return list(inside[:at]), at + 1
    raise SqlError("42601", "syntax error: CAST needs AS")


def _cast_body(inside: Sequence[Token]) -> list[Token]:
    expression, at = _split_as(inside)
    return [*expression, *lex(" as"), *_whole_type(inside, at)]


def _try_cast(inside: Sequence[Token]) -> list[Token]:
    expression, at = _split_as(inside)
    kind = render(_whole_type(inside, at))
    return lex(
        f" (pg_standin.try_cast(({render(expression)})::text, {literal(kind).text}, "
        f"null::{kind})::{kind})"
    )


def _whole_type(tokens: Sequence[Token], at: int) -> list[Token]:
    """Return the type that goes on to the end of CAST."""
    end, spelled = read_type(tokens, at)
    return [*spelled, *tokens[end:]]


def read_type(tokens: Sequence[Token], at: int) -> tuple[int, list[Token]]:
    """Read a type in the engine's spelling; return where it ends, too."""
    name = tokens[at].name
    spelled = [Token(WORD, TYPES.get(name, name)) if name in TYPES else tokens[at]]
    end = at + 1
    if name in ("decimal", "numeric", "number") and not _called(tokens, at):
        return end, [*spelled, *lex("(18, 0)")]
    if name in ("varchar", "nvarchar", "varbyte") and _called(tokens, at):
        close = closing(tokens, at + 1)
        size = tokens[at + 2]
        if name == "varbyte":
            return close + 1, spelled  # the engine's type has no length
        return close + 1, [*spelled, *lex("(65535)" if size.name == "max" else f"({size.text})")]
    return end, spelled


def _within_group(rest: Sequence[Token]) -> tuple[list[Token], int]:
    """Read WITHIN GROUP (ORDER BY ...); return what it orders by and the tokens it took."""
    if len(rest) > 2 and rest[0].spells("WITHIN") and rest[1].spells("GROUP"):
        end = closing(rest, 2)
        return rewrite_functions(rest[5:end]), end + 1
    return [], 0


def _window(rest: Sequence[Token]) -> tuple[list[Token] | None, int]:
    """Read OVER (...); return what stands inside and the tokens it took."""
    if len(rest) > 1 and rest[0].spells("OVER") and rest[1].spells("("):
        end = closing(rest, 1)
        return rewrite_functions(rest[2:end]), end + 1
    return None, 0


def _listagg(inside: list[Token], rest: Sequence[Token]) -> tuple[list[Token], int]:
    distinct = bool(inside) and inside[0].spells("DISTINCT")
    arguments = split_commas(inside[1:] if distinct else inside)
    value = f"({render(arguments[0])})::varchar::text"
    separator = render(arguments[1]) if len(arguments) > 1 else "''"
    order, taken = _within_group(rest)
    window, more = _window(rest[taken:])
    if window is None:
        by = ""
        if order:
            # An aggregate over distinct values can only be ordered by the very value.
            same = distinct and render(order) == render(arguments[0])
            by = f" order by {value if same else render(order)}"
        call = f" listagg({'distinct ' if distinct else ''}{value}, {separator}{by})"
        return lex(call), taken
    if distinct:
        raise refuse("LISTAGG(DISTINCT) as a window function")
    if order:
        window = [*window, *lex(" order by"), *order]
        window += lex(" rows between unbounded preceding and unbounded following")
    return lex(f" listagg({value}, {separator}) over ({render(window)})"), taken + more


def _percentile(inside: list[Token], rest: Sequence[Token]) -> tuple[list[Token], int]:
    order, taken = _within_group(rest)
    if not order:
        raise SqlError("42601", "PERCENTILE_CONT needs WITHIN GROUP (ORDER BY ...)")
    fraction = render(inside)
    if order[-1].spells("DESC"):
        fraction = f"1 - ({fraction})"
    if order[-1].spells("DESC", "ASC"):
        order = order[:-1]
    return lex(f" pg_standin.percentile_cont({render(order)}, ({fraction})::numeric)"), taken
