"""What a client's statement becomes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.standin.backend import Backend
from tests.standin.lexer import Token
from tests.standin.wire import Column


@dataclass(frozen=True)
class Plan:
    """A translated statement: either `tokens` for the engine, or `run` by the stand-in itself.

    `run` returns the command's tag. `written` names the tables that a statement for the engine
    changes.
    """

    tokens: list[Token] | None = None
    run: Callable[[Backend], Awaitable[str]] | None = None
    written: tuple[str, ...] = ()


@dataclass
class Statement:
    """A prepared statement of the client."""

    sql: str
    types: bytes
    plan: Plan | None = None
    columns: list[Column] = field(default_factory=list)  # once the client asked for them


def script(tag: str, *steps: str) -> Plan:
    """Return the plan that runs several statements of the engine as one."""

    async def run(backend: Backend) -> str:
        await backend.query("; ".join(steps))
        return tag

    return Plan(run=run)
