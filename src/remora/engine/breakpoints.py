"""Breakpoints: what the user asked for, and the one id it keeps for life.

A `Wish` is the request as it came; a `Breakpoint` is that wish with a number, a state and a place. Where it
is armed in code objects (its bindings) is the business of `arming`.
"""

from __future__ import annotations

from enum import Enum


class BreakpointState(Enum):
    VERIFIED = "verified"  # a line of code that exists (in memory, or in the file on disk)
    PENDING = "pending"  # no such code yet; may bind later
    FAILED = "failed"  # cannot work; the message says why


class Wish:
    """What the user asked for: a line, and what must hold for a stop (or what to log instead)."""

    __slots__ = ("condition", "hit_condition", "line", "log_message")

    def __init__(
        self,
        line: int,
        condition: str | None = None,
        hit_condition: str | None = None,
        log_message: str | None = None,
    ) -> None:
        self.line = line
        self.condition = condition
        self.hit_condition = hit_condition
        self.log_message = log_message

    def key(self) -> tuple[int, str | None, str | None, str | None]:
        return (self.line, self.condition, self.hit_condition, self.log_message)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wish) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __repr__(self) -> str:
        return f"Wish{self.key()}"


class Breakpoint:
    """A wish with its id for life, its state and where it is now."""

    __slots__ = ("hits", "id", "line", "message", "path", "state", "wish")

    def __init__(self, number: int, path: str, wish: Wish) -> None:
        self.id = number
        self.path = path
        self.wish = wish
        self.state = BreakpointState.PENDING
        self.line = wish.line
        self.message: str | None = None
        self.hits = 0

    def __repr__(self) -> str:
        return f"<Breakpoint {self.id} {self.path}:{self.line} {self.state.value} hits={self.hits}>"
