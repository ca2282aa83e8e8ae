"""The breakpoints of a person: numbered from 1, kept over a restart, told to the adapter file by file."""

from __future__ import annotations

from typing import Any

from remora.client import DebugSession

Body = dict[str, Any]


class Breakpoint:
    """What the person asked for, and what became of it."""

    def __init__(
        self,
        number: int,
        path: str,
        line: int,
        *,
        condition: str = "",
        log_message: str = "",
        function: str = "",
        temporary: bool = False,
    ) -> None:
        self.number = number
        self.path = path
        self.line = line
        #: a breakpoint the adapter binds by name; path and line are empty then
        self.function = function
        self.condition = condition
        self.log_message = log_message
        self.temporary = temporary
        self.ignore = 0
        self.enabled = True
        #: what to do at a stop, and whether to say nothing about it
        self.commands: list[str] = []
        self.hits = 0
        self.id: int | None = None
        self.verified = False
        self.actual_line = line
        self.message = ""
        #: it cannot be as it was asked for; the message says why
        self.failed = False

    @property
    def where(self) -> str:
        return self.function or f"{self.path}:{self.actual_line}"

    def wish(self) -> Body:
        """Return it as a DAP SourceBreakpoint or FunctionBreakpoint."""
        wish: Body = {"name": self.function} if self.function else {"line": self.line}
        if self.condition:
            wish["condition"] = self.condition
        if self.ignore:
            wish["hitCondition"] = f"> {self.ignore}"
        if self.log_message:
            wish["logMessage"] = self.log_message
        return wish

    def learn(self, answer: Body) -> None:
        """Take in what the adapter says about it."""
        self.id = answer.get("id", self.id)
        self.verified = bool(answer.get("verified"))
        self.actual_line = answer.get("line") or self.actual_line
        self.message = answer.get("message") or ""
        self.failed = not self.verified and answer.get("reason") == "failed"


class Breakpoints:
    """All of them. Called by the thread that runs commands, except `learn`: a dict look-up and stores."""

    def __init__(self) -> None:
        self._next_number = 1
        self._all: dict[int, Breakpoint] = {}

    def __iter__(self) -> Any:
        return iter(list(self._all.values()))

    def add(self, path: str, line: int, **wishes: Any) -> Breakpoint:
        """Make one with the next number; `send` tells the adapter."""
        made = Breakpoint(self._next_number, path, line, **wishes)
        self._all[made.number] = made
        self._next_number += 1
        return made

    def add_hidden(self, path: str, line: int) -> Breakpoint:
        """Make one for the debugger's own use; its number is below 0."""
        made = Breakpoint(-1 - len(self._all), path, line, temporary=True)
        self._all[made.number] = made
        return made

    def get(self, number: int) -> Breakpoint | None:
        return self._all.get(number)

    def remove(self, breakpoint: Breakpoint) -> None:
        self._all.pop(breakpoint.number, None)

    def visible(self) -> list[Breakpoint]:
        return [each for each in self._all.values() if each.number > 0]

    def of_file(self, path: str) -> list[Breakpoint]:
        return [each for each in self._all.values() if not each.function and each.path == path]

    def hit(self, ids: list[int]) -> list[Breakpoint]:
        """Return those with these ids."""
        return [each for each in self._all.values() if each.id is not None and each.id in ids]

    def learn(self, answer: Body) -> None:
        """Take in a `breakpoint` event."""
        for each in list(self._all.values()):
            if each.id is not None and each.id == answer.get("id"):
                each.learn(answer)

    def send(self, session: DebugSession, path: str) -> None:
        """Tell the adapter all enabled ones of a file. ClientError."""
        wanted = [each for each in self.of_file(path) if each.enabled]
        answers = session.set_breakpoints(path, [each.wish() for each in wanted])
        for each, answer in zip(wanted, answers, strict=False):
            each.learn(answer)

    def send_functions(self, session: DebugSession) -> None:
        """Tell the adapter all enabled ones that have a function's name. ClientError."""
        wanted = [each for each in self._all.values() if each.function and each.enabled]
        answers = session.set_function_breakpoints([each.wish() for each in wanted])
        for each, answer in zip(wanted, answers, strict=False):
            each.learn(answer)

    def send_all(self, session: DebugSession) -> None:
        """Tell the adapter everything, for a new session. ClientError."""
        for each in self._all.values():
            each.id = None
        for path in dict.fromkeys(each.path for each in self._all.values() if not each.function):
            self.send(session, path)
        if any(each.function for each in self._all.values()):
            self.send_functions(session)
