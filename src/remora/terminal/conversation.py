"""What a command may use: the conversation it is part of. `App` is one; commands know only this."""

from __future__ import annotations

from typing import Protocol

from remora.terminal.completion import LineCompleter
from remora.terminal.debugger import Debugger
from remora.terminal.moves import Moves
from remora.terminal.process import CommandError, Process
from remora.terminal.reader import Reader
from remora.terminal.screen import Screen


class Conversation(Protocol):
    """One run of the terminal client."""

    screen: Screen
    reader: Reader
    debugger: Debugger
    moves: Moves
    completer: LineCompleter
    #: the line `list` goes on from; None: around the current one
    list_from: int | None

    @property
    def process(self) -> Process:
        """The one commands are about."""

    def begin(self) -> None:
        """Start the session, and wait for the program's first stop if it is ours. CommandError."""

    def after_move(self, stopped: bool) -> None:
        """Show where the current process has stopped, and do what its breakpoints want done there."""

    def confirm(self, question: str) -> bool:
        """Ask the person; no answer is no."""


def number(text: str, what: str, *, least: int = 1) -> int:
    """Read a number of a command's argument. CommandError."""
    text = text.strip()
    if not text.isascii() or not text.isdecimal() or int(text) < least:
        raise CommandError(f"{text!r} is not {what}")
    return int(text)
