"""Exception filters: which exceptions stop the program."""

from __future__ import annotations


class ExceptionFilter:
    """`name` is one of raised, uncaught, userUnhandled; a condition sees the exception as `exc`."""

    __slots__ = ("condition", "name")

    def __init__(self, name: str, condition: str | None = None) -> None:
        self.name = name
        self.condition = condition

    def __repr__(self) -> str:
        return f"ExceptionFilter({self.name!r}, {self.condition!r})"
