"""CASE keeps the precision of its branches.

PostgreSQL forgets it when a branch is NULL or missing; Redshift does not. Where all other branches
are casts to one type, the whole CASE is cast to it, which changes no value.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.standin.lexer import Token, closing, lex, render


def keep_case_types(tokens: Sequence[Token]) -> list[Token]:
    """Add the cast behind each such CASE, the innermost first."""
    output: list[Token] = []
    at = 0
    while at < len(tokens):
        if tokens[at].spells("CASE") and not (at and tokens[at - 1].spells(".", "AS")):
            end = _end_of_case(tokens, at)
            inner = [tokens[at], *keep_case_types(tokens[at + 1 : end]), tokens[end]]
            kind = _common_type(inner)
            output += [*lex(" cast("), *inner, *lex(f" as {kind})")] if kind else inner
            at = end + 1
        else:
            output.append(tokens[at])
            at += 1
    return output


def _end_of_case(tokens: Sequence[Token], start: int) -> int:
    depth = 0
    for at in range(start, len(tokens)):
        if tokens[at].spells("CASE"):
            depth += 1
        elif tokens[at].spells("END"):
            depth -= 1
            if depth == 0:
                return at
    return len(tokens) - 1


def _common_type(case: Sequence[Token]) -> str:
    """Return the type with a length or precision to which all branches are cast, or ''."""
    kinds = {_cast_type(branch) for branch in _branches(case) if render(branch).lower() != "null"}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return kind if "(" in kind else ""


def _branches(case: Sequence[Token]) -> list[list[Token]]:
    """Return what stands behind each THEN and ELSE of this CASE, not of those inside it."""
    branches: list[list[Token]] = []
    inside = False
    at = 1
    while at < len(case) - 1:
        token = case[at]
        end = at
        if token.spells("("):
            end = closing(case, at)
        elif token.spells("CASE"):
            end = _end_of_case(case, at)
        if token.spells("THEN", "ELSE"):
            branches.append([])
            inside = True
        elif token.spells("WHEN"):
            inside = False
        elif inside:
            branches[-1] += case[at : end + 1]
        at = end + 1
    return branches


def _cast_type(branch: Sequence[Token]) -> str:
    """Return the type of `cast(... as type)` or `...::type`, or ''."""
    if len(branch) > 2 and branch[0].spells("CAST") and closing(branch, 1) == len(branch) - 1:
        depth = 0
        for at in range(1, len(branch)):
            depth += branch[at].spells("(") - branch[at].spells(")")
            if depth == 1 and branch[at].spells("AS"):
                return render(branch[at + 1 : -1]).lower()
    for at in range(len(branch) - 1, 0, -1):
        if branch[at].spells("::"):
            tail = branch[at + 1 :]
            whole = len(tail) == 1 or (tail[1].spells("(") and closing(tail, 1) == len(tail) - 1)
            return render(tail).lower() if whole else ""
    return ""
