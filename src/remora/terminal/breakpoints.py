"""The breakpoints of a person: numbered from 1, kept over a restart, and the same in all processes.

The thread that runs commands makes and changes them, and tells every process that is open. The thread that
opens a child sends them all; `Process.sending` keeps what the two send to one process in order. `learn` may
be called on any thread: it is a look-up and a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from remora.client import ClientError, Pending
from remora.client.client import DEFAULT_TIMEOUT_S
from remora.terminal.process import Process

Body = dict[str, Any]


class Answer(NamedTuple):
    """What became of a breakpoint in one process."""

    id: int | None
    verified: bool
    line: int
    message: str
    failed: bool


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
        only: Process | None = None,
    ) -> None:
        self.number = number
        self.path = path
        self.line = line
        #: a breakpoint the adapter binds by name; path and line are empty then
        self.function = function
        self.condition = condition
        self.log_message = log_message
        self.temporary = temporary
        #: the one process it is for; None: all
        self.only = only
        self.ignore = 0
        self.enabled = True
        #: what to do at a stop, and whether to say nothing about it
        self.commands: list[str] = []
        self.hits = 0
        #: by the number of the process
        self._answers: dict[int, Answer] = {}

    @property
    def where(self) -> str:
        return self.function or f"{self.path}:{self.actual_line}"

    @property
    def verified(self) -> bool:
        """Whether it is set in at least one process."""
        return any(each.verified for each in list(self._answers.values()))

    @property
    def actual_line(self) -> int:
        """The line it is at, the one asked for while that is not known."""
        answer = self._best()
        return (answer and answer.line) or self.line

    @property
    def message(self) -> str:
        """What is to be said about it: it was moved, is pending, cannot be."""
        answer = self._best()
        return answer.message if answer else ""

    @property
    def failed(self) -> bool:
        """Whether it cannot be as it was asked for, anywhere; the message says why."""
        answers = list(self._answers.values())
        return bool(answers) and all(each.failed for each in answers)

    def id_in(self, process: Process) -> int | None:
        """Return the number a process has for it."""
        answer = self._answers.get(process.number)
        return answer.id if answer else None

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

    def learn(self, process: Process, answer: Body) -> None:
        """Take in what a process says about it."""
        before = self._answers.get(process.number)
        verified = bool(answer.get("verified"))
        self._answers[process.number] = Answer(
            answer.get("id", before.id if before else None),
            verified,
            answer.get("line") or (before.line if before else 0),
            answer.get("message") or "",
            not verified and answer.get("reason") == "failed",
        )

    def forget(self, process: Process) -> None:
        """Forget what a process has said."""
        self._answers.pop(process.number, None)

    def _best(self) -> Answer | None:
        answers = list(self._answers.values())
        return next((each for each in answers if each.verified), answers[0] if answers else None)


class Breakpoints:
    """All of them."""

    def __init__(self) -> None:
        self._next_number = 1
        self._all: dict[int, Breakpoint] = {}

    def __iter__(self) -> Any:
        return iter(list(self._all.values()))

    def add(self, path: str, line: int, **wishes: Any) -> Breakpoint:
        """Make one with the next number; `send` tells the processes."""
        made = Breakpoint(self._next_number, path, line, **wishes)
        self._all[made.number] = made
        self._next_number += 1
        return made

    def add_hidden(self, path: str, line: int, only: Process) -> Breakpoint:
        """Make one for the debugger's own use in one process; its number is below 0."""
        made = Breakpoint(-1 - len(self._all), path, line, temporary=True, only=only)
        self._all[made.number] = made
        return made

    def get(self, number: int) -> Breakpoint | None:
        return self._all.get(number)

    def remove(self, breakpoint: Breakpoint) -> None:
        self._all.pop(breakpoint.number, None)

    def visible(self) -> list[Breakpoint]:
        return [each for each in self if each.number > 0]

    def of_file(self, path: str) -> list[Breakpoint]:
        return [each for each in self if not each.function and each.path == path]

    def hit(self, process: Process, ids: list[int]) -> list[Breakpoint]:
        """Return those that have these numbers in a process."""
        return [each for each in self if each.id_in(process) in ids and each.id_in(process) is not None]

    def learn(self, process: Process, answer: Body) -> None:
        """Take in a `breakpoint` event."""
        for each in self.hit(process, [answer.get("id", 0)]):
            each.learn(process, answer)

    def forget(self, process: Process) -> None:
        """Forget what a process has said that is over."""
        for each in self:
            each.forget(process)

    # Telling

    def send(self, processes: Iterable[Process], breakpoint: Breakpoint) -> None:
        """Tell processes that one was made, changed or removed. ClientError of the first that fails."""
        sent = []
        failure: ClientError | None = None
        for process in processes:
            try:
                sent.append((process, *self._send_group(process, breakpoint.path)))
            except ClientError as error:
                failure = failure or error
        for process, wanted, pending in sent:
            try:
                _learn(process, wanted, pending)
            except ClientError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def send_all(self, process: Process) -> None:
        """Tell a process everything, for a new session. ClientError."""
        self.forget(process)
        groups = dict.fromkeys(each.path for each in self)
        sent = [self._send_group(process, path) for path in groups]
        for wanted, pending in sent:
            _learn(process, wanted, pending)

    def _send_group(self, process: Process, path: str) -> tuple[list[Breakpoint], Pending]:
        """Send all of a file, or with no path all that have a function's name."""
        with process.sending:
            wanted = [
                each for each in self if each.path == path and each.enabled and each.only in (None, process)
            ]
            wishes: Sequence[Body] = [each.wish() for each in wanted]
            arguments: Body = {"breakpoints": wishes}
            if path:
                arguments["source"] = {"path": path}
            command = "setBreakpoints" if path else "setFunctionBreakpoints"
            return wanted, process.session.client.send(command, arguments)


def _learn(process: Process, wanted: list[Breakpoint], pending: Pending) -> None:
    answers = pending.result(DEFAULT_TIMEOUT_S).get("breakpoints") or []
    for each, answer in zip(wanted, answers, strict=False):
        each.learn(process, answer)
