"""SQL text to tokens and back.

Rewriting works on lists of tokens, not on a syntax tree: whatever no rewriter touches reaches the
engine exactly as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.standin.errors import SqlError, refuse

WORD, QUOTED, STRING, NUMBER, PARAM, OPERATOR = (
    "word", "quoted", "string", "number", "param", "operator",
)  # fmt: skip

MAX_NAME = 63
_GAP = re.compile(r"(?:[ \t\r\n\f\v]+|--[^\n]*)+")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_PATTERNS = (
    (PARAM, re.compile(r"\$\d+")),
    (STRING, re.compile(r"\$((?:[A-Za-z_]\w*)?)\$.*?\$\1\$", re.S)),
    # As in PostgreSQL 8.0, a backslash escapes in plain literals too.
    (STRING, re.compile(r"[eE]?'(?:[^'\\]|''|\\.)*'", re.S)),
    (WORD, re.compile(r"[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*")),
    (QUOTED, re.compile(r'"(?:[^"]|"")*"', re.S)),
    (NUMBER, re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")),
    (OPERATOR, re.compile(r"::|<>|!=|<=|>=|\|\||!~\*|!~|~\*|\*\*|->>|->|[^\s\w]")),
)


@dataclass(frozen=True, slots=True)
class Token:
    """One lexical element. `spaced` says whether blanks or a comment stood before it."""

    kind: str
    text: str
    spaced: bool = True

    @property
    def name(self) -> str:
        """The identifier that this token spells, folded to lower case as Redshift does."""
        if self.kind == QUOTED:
            return self.text[1:-1].replace('""', '"').lower()
        return self.text.lower() if self.kind == WORD else ""

    @property
    def keyword(self) -> str:
        """The upper-case word, or '' for anything that is not an unquoted word."""
        return self.text.upper() if self.kind == WORD else ""

    @property
    def value(self) -> str:
        """The value of a string literal."""
        if self.text[0] == "$":
            tag = self.text[: self.text.index("$", 1) + 1]
            return self.text[len(tag) : -len(tag)]
        inner = self.text[self.text.index("'") + 1 : -1].replace("''", "'")
        return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), inner, flags=re.S)

    def spells(self, *words: str) -> bool:
        """Say whether the token is one of these keywords (upper case) or operators."""
        return (self.keyword or self.text) in words if self.kind in (WORD, OPERATOR) else False


def lex(sql: str) -> list[Token]:
    """Split SQL into tokens; comments become blanks. Raises SqlError 42601."""
    tokens: list[Token] = []
    at, spaced = 0, False
    while at < len(sql):
        if gap := _GAP.match(sql, at):
            at, spaced = gap.end(), True
            continue
        if sql.startswith("/*", at):
            at, spaced = _end_of_comment(sql, at), True
            continue
        for kind, pattern in _PATTERNS:
            if found := pattern.match(sql, at):
                tokens.append(Token(kind, found.group(), spaced))
                at, spaced = found.end(), False
                break
        else:
            raise SqlError("42601", f"syntax error at or near {sql[at : at + 10]!r}")
        if tokens[-1].kind == OPERATOR and tokens[-1].text in "'\"":
            raise SqlError("42601", "unterminated quoted string")
        if len(tokens[-1].name.encode()) > MAX_NAME:
            raise refuse(f"a name of more than {MAX_NAME} bytes")  # the engine would cut it
    return tokens


def _end_of_comment(sql: str, at: int) -> int:
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    raise SqlError("42601", "unterminated /* comment")


def render(tokens: Iterable[Token]) -> str:
    """Put tokens back together."""
    return "".join((" " if t.spaced else "") + t.text for t in tokens).strip()


def split_statements(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split at semicolons, leaving out empty statements."""
    statements: list[list[Token]] = [[]]
    for token in tokens:
        if token.spells(";"):
            statements.append([])
        else:
            statements[-1].append(token)
    return [s for s in statements if s]


def closing(tokens: Sequence[Token], opening: int) -> int:
    """Return the index of the bracket that closes the one at `opening`."""
    pairs = {"(": ")", "[": "]"}
    stack: list[str] = []
    for at in range(opening, len(tokens)):
        token = tokens[at]
        if token.kind != OPERATOR:
            continue
        if token.text in pairs:
            stack.append(pairs[token.text])
        elif stack and token.text == stack[-1]:
            stack.pop()
            if not stack:
                return at
    raise SqlError("42601", "syntax error: a bracket is not closed")


def split_commas(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split at the commas that stand outside brackets."""
    parts: list[list[Token]] = [[]]
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.spells("(", "["):
            end = closing(tokens, at)
            parts[-1].extend(tokens[at : end + 1])
            at = end + 1
            continue
        if token.spells(","):
            parts.append([])
        else:
            parts[-1].append(token)
        at += 1
    return parts if parts != [[]] else []


def literal(value: str) -> Token:
    """Return a string literal of this value."""
    return Token(STRING, "'" + value.replace("\\", "\\\\").replace("'", "''") + "'")


def quote(name: str) -> str:
    """Return a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


class Cursor:
    """Reads a statement from left to right, as the DDL and COPY parsers need it."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = list(tokens)
        self.at = 0

    @property
    def done(self) -> bool:
        """Whether everything is consumed."""
        return self.at >= len(self.tokens)

    def peek(self, *words: str) -> bool:
        """Say whether the next tokens spell exactly these words."""
        ahead = self.tokens[self.at : self.at + len(words)]
        return len(ahead) == len(words) and all(
            t.spells(w) for t, w in zip(ahead, words, strict=True)
        )

    def accept(self, *words: str) -> bool:
        """Consume these words if they are next."""
        if self.peek(*words):
            self.at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """Consume these words or raise a syntax error."""
        if not self.accept(*words):
            raise self.error(f"expected {' '.join(words)}")

    def next(self) -> Token:
        """Consume and return one token."""
        if self.done:
            raise SqlError("42601", "syntax error at end of input")
        self.at += 1
        return self.tokens[self.at - 1]

    def group(self) -> list[Token]:
        """Consume a bracketed group and return what stands inside it."""
        if not self.peek("("):
            raise self.error("expected (")
        end = closing(self.tokens, self.at)
        inside = self.tokens[self.at + 1 : end]
        self.at = end + 1
        return inside

    def qualified_name(self) -> list[str]:
        """Consume a dotted name and return its parts, folded."""
        parts = [self._identifier()]
        while self.accept("."):
            parts.append(self._identifier())
        return parts

    def _identifier(self) -> str:
        token = self.next()
        if not token.name:
            raise SqlError("42601", f'syntax error at or near "{token.text}"')
        return token.name

    def rest(self) -> list[Token]:
        """Consume and return everything left."""
        left = self.tokens[self.at :]
        self.at = len(self.tokens)
        return left

    def error(self, hint: str) -> SqlError:
        """Return the syntax error at the next token."""
        where = "end of input" if self.done else f'"{self.tokens[self.at].text}"'
        return SqlError("42601", f"syntax error at or near {where}", hint)


def dotted(parts: Sequence[str]) -> str:
    """Return a dotted name, quoted."""
    return ".".join(quote(p) for p in parts)
