"""What Tab offers: commands, places, and names of the program through DAP `completions`."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Collection

from remora.client import ClientError
from remora.terminal.debugger import Debugger
from remora.terminal.process import CommandError, State

_IDENTIFIER = re.compile(r"\w*$")
_PLACES = {"b", "break", "tbreak", "log", "cl", "clear"}
_EXPRESSIONS = {"p", "print", "pp", "whatis", "display", "source"}
# A person waits for the answer with the finger on Tab.
_PATIENCE_S = 2.0


class LineCompleter:
    """Completes lines of the debugger's prompt. May be called from a thread of the line editor."""

    def __init__(self, debugger: Debugger, commands: Collection[str]) -> None:
        """`commands` are the names of all commands."""
        self._debugger = debugger
        self._commands = commands

    def complete(self, text: str, cursor: int) -> tuple[int, list[str]]:
        """Return where the completed word begins, and what it may become."""
        before = text[:cursor]
        stripped = before.lstrip()
        indent = len(before) - len(stripped)
        word, space, _ = stripped.partition(" ")
        if stripped.startswith("!"):
            return self._python(before, indent + 1)
        if not space:
            names = [name for name in self._commands if name.startswith(word) and len(name) > 1]
            start, more = self._python(before, indent)
            same = start == indent
            return (indent, names + [each for each in more if same]) if names else (start, more)
        argument = indent + len(word) + 1
        if word in _PLACES:
            return self._places(before, argument)
        if word in ("h", "help"):
            return argument, [name for name in self._commands if name.startswith(before[argument:])]
        if word == "catch":
            names = [*self._debugger.filters.offered_by(self._debugger.root), "off"]
            return argument, [name for name in names if name.startswith(before[argument:])]
        if word in _EXPRESSIONS or word not in self._commands:
            return self._python(before, argument if word in self._commands else indent)
        return cursor, []

    def complete_python(self, text: str, cursor: int) -> tuple[int, list[str]]:
        """Complete a line of Python."""
        return self._python(text[:cursor], 0)

    def _places(self, before: str, start: int) -> tuple[int, list[str]]:
        typed = before[start:]
        found = []
        path = self._debugger.target.main_file
        if self._debugger.process.state is State.STOPPED:
            with contextlib.suppress(CommandError):
                path = (self._debugger.process.frame().get("source") or {}).get("path") or path
        file = self._debugger.process.sources.get({"path": path}, None) if path else None
        if file is not None:
            found = [name for name in file.names() if name.startswith(typed)]
        for name in sorted(glob.glob(glob.escape(typed) + "*")):
            if os.path.isdir(name):
                found.append(name + "/")
            elif name.endswith(".py"):
                found.append(name + ":")
        return start, found

    def _python(self, before: str, start: int) -> tuple[int, list[str]]:
        """Ask the program; `before` from `start` on is Python."""
        process = self._debugger.process
        word = _IDENTIFIER.search(before)
        begin = word.start() if word else len(before)
        if process.state is not State.STOPPED or not process.capabilities.get("supportsCompletionsRequest"):
            return begin, []
        code = before[start:]
        # DAP counts in UTF-16, from 1.
        column = len(code.encode("utf-16-le", "surrogatepass")) // 2 + 1
        client = process.client
        if client is None:
            return begin, []
        try:
            arguments = {"text": code, "column": column, "frameId": process.frame()["id"]}
            targets = client.request("completions", arguments, timeout_s=_PATIENCE_S).get("targets") or []
        except (ClientError, CommandError):
            return begin, []
        lengths = {each["length"] for each in targets if "length" in each}
        if len(lengths) == 1:
            begin = len(before) - lengths.pop()
        return begin, [str(each.get("text") or each["label"]) for each in targets]
