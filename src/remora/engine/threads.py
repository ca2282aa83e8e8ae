"""Threads of the debuggee: the main one has id 1, the others count up, and no id is used twice."""

from __future__ import annotations

from enum import Enum


class ThreadState(Enum):
    RUNNING = "running"
    STOPPED = "stopped"
    BLOCKED = "blocked"  # all are stopped, but this one sits in C code and has not come back yet


class ThreadInfo:
    __slots__ = ("id", "ident", "is_main", "name", "state")

    def __init__(self, number: int, ident: int, name: str, is_main: bool, state: ThreadState) -> None:
        self.id = number
        self.ident = ident
        self.name = name
        self.is_main = is_main
        self.state = state

    def __repr__(self) -> str:
        return f"<ThreadInfo {self.id} {self.name!r} {self.state.value}>"
