"""Where commands come from: `-c`, a pipe, or a person; the person with prompt_toolkit, readline, or neither.

prompt_toolkit comes with the extra `terminal`; without it, and on a dumb terminal, everything works
but colours in the line and completion menus.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from remora.terminal.line import split_commands
from remora.terminal.screen import Screen

#: line and cursor -> where the completed word begins, and what it may become
Completer = Callable[[str, int], tuple[int, list[str]]]

_HISTORY_LINES = 5000


class Reader(Protocol):
    """A source of lines."""

    @property
    def interactive(self) -> bool:
        """Whether a person is there, who sees a mistake and can mend it."""

    def read(self, prompt: str, completer: Completer | None = None) -> str:
        """Return a line. EOFError at the end, KeyboardInterrupt for Ctrl-C."""


def open_reader(screen: Screen, commands: Sequence[str] = ()) -> Reader:
    """Return the best reader for where we run; `commands` come before what it reads."""
    rest: Reader
    if sys.stdin is None or not sys.stdin.isatty():
        rest = PipeReader(screen)
    elif os.environ.get("TERM", "") in ("", "dumb") or not sys.stdout.isatty():
        rest = PlainReader()
    else:
        rest = _toolkit_reader(screen) or _readline_reader() or PlainReader()
    if not commands:
        return rest
    lines = [part for text in commands for part in split_commands(text, single=True)]
    return ScriptReader(screen, lines, rest)


def history_path() -> Path | None:
    """Return the history file, made with its folder if need be; None if that cannot be."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    path = Path(base) / "remora" / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What people evaluate may hold secrets.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError:
        return None
    return path


class ScriptReader:
    """Lines given beforehand, then another reader's."""

    def __init__(self, screen: Screen, lines: Sequence[str], rest: Reader) -> None:
        self._screen = screen
        self._lines = list(lines)
        self._rest = rest

    @property
    def interactive(self) -> bool:
        return not self._lines and self._rest.interactive

    def read(self, prompt: str, completer: Completer | None = None) -> str:
        if not self._lines:
            return self._rest.read(prompt, completer)
        line = self._lines.pop(0)
        self._screen.say(self._screen.style(prompt + line, "dim"))
        return line


class PipeReader:
    """Lines of a pipe or a file; shown as they are read, so that the output makes sense."""

    interactive = False

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def read(self, prompt: str, completer: Completer | None = None) -> str:
        line = sys.stdin.readline() if sys.stdin is not None else ""
        if not line:
            raise EOFError
        line = line.rstrip("\n")
        self._screen.say(self._screen.style(prompt + line, "dim"))
        return line


class PlainReader:
    """A person at a terminal that can do nothing, or without any library."""

    interactive = True

    def read(self, prompt: str, completer: Completer | None = None) -> str:
        return input(prompt)


class ReadlineReader:
    """A person, with the interpreter's own line editing."""

    interactive = True

    def __init__(self, readline: Any) -> None:
        self._readline = readline
        self._completer: Completer | None = None
        self._found: list[str] = []
        self._path = history_path()
        readline.set_completer(self._complete)
        readline.set_completer_delims(" \t\n,:")
        libedit = getattr(readline, "backend", "readline") == "editline"
        readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
        if self._path is not None:
            with contextlib.suppress(OSError):
                readline.read_history_file(self._path)
            readline.set_history_length(_HISTORY_LINES)

    def read(self, prompt: str, completer: Completer | None = None) -> str:
        self._completer = completer
        line = input(prompt)
        if self._path is not None and line.strip():
            with contextlib.suppress(OSError):
                self._readline.append_history_file(1, self._path)
        return line

    def _complete(self, word: str, state: int) -> str | None:
        if state == 0:
            self._found = []
            if self._completer is not None:
                text, end = self._readline.get_line_buffer(), self._readline.get_endidx()
                begin = self._readline.get_begidx()
                start, names = self._completer(text, end)
                # readline replaces from `begin`, which its delimiters decide, not from our `start`.
                self._found = [text[begin:start] + name if start >= begin else name for name in names]
        return self._found[state] if state < len(self._found) else None


def _readline_reader() -> Reader | None:
    try:
        return ReadlineReader(importlib.import_module("readline"))
    except ImportError:
        return None


def _toolkit_reader(screen: Screen) -> Reader | None:
    try:
        from remora.terminal.toolkit import ToolkitReader
    except ImportError:
        return None
    return ToolkitReader(history_path(), color=screen.color)
