"""What Tab offers: commands, places, and names of the program through DAP `completions`."""

from __future__ import annotations

import contextlib
import glob
import os
import re

from remora.client import ClientError
from remora.terminal.commands import TABLE
from remora.terminal.debugger import CommandError, Debugger, State

_IDENTIFIER = re.compile(r"\w*$")
_PLACES = {"b", "break", "tbreak", "log", "cl", "clear"}
_EXPRESSIONS = {"p", "print", "pp", "whatis", "display", "source"}
# A person waits for the answer with the finger on Tab.
_PATIENCE_S = 2.0


class LineCompleter:
    """Completes lines of the debugger's prompt. May be called from a thread of the line editor."""

    def __init__(self, debugger: Debugger) -> None:
        self._debugger = debugger

    def complete(self, text: str, cursor: int) -> tuple[int, list[str]]:
        """Return where the completed word begins, and what it may become."""
        before = text[:cursor]
        stripped = before.lstrip()
        indent = len(before) - len(stripped)
        word, space, _ = stripped.partition(" ")
        if stripped.startswith("!"):
            return self._python(before, indent + 1)
        if not space:
            names = [name for name in TABLE if name.startswith(word) and len(name) > 1]
            start, more = self._python(before, indent)
            same = start == indent
            return (indent, names + [each for each in more if same]) if names else (start, more)
        argument = indent + len(word) + 1
        if word in _PLACES:
            return self._places(before, argument)
        if word in ("h", "help"):
            return argument, [name for name in TABLE if name.startswith(before[argument:])]
        if word == "catch":
            offered = self._debugger.capabilities.get("exceptionBreakpointFilters") or []
            names = [str(each["filter"]) for each in offered] + ["off"]
            return argument, [name for name in names if name.startswith(before[argument:])]
        if word in _EXPRESSIONS or word not in TABLE:
            return self._python(before, argument if word in TABLE else indent)
        return cursor, []

    def complete_python(self, text: str, cursor: int) -> tuple[int, list[str]]:
        """Complete a line of Python."""
        return self._python(text[:cursor], 0)

    def _places(self, before: str, start: int) -> tuple[int, list[str]]:
        typed = before[start:]
        found = []
        path = self._debugger.target.main_file
        if self._debugger.state is State.STOPPED:
            with contextlib.suppress(CommandError):
                path = (self._debugger.frame().get("source") or {}).get("path") or path
        file = self._debugger.sources.get({"path": path}, None) if path else None
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
        debugger = self._debugger
        word = _IDENTIFIER.search(before)
        begin = word.start() if word else len(before)
        if debugger.state is not State.STOPPED or not debugger.capabilities.get("supportsCompletionsRequest"):
            return begin, []
        code = before[start:]
        # DAP counts in UTF-16, from 1.
        column = len(code.encode("utf-16-le", "surrogatepass")) // 2 + 1
        client = debugger.client
        if client is None:
            return begin, []
        try:
            arguments = {"text": code, "column": column, "frameId": debugger.frame()["id"]}
            targets = client.request("completions", arguments, timeout_s=_PATIENCE_S).get("targets") or []
        except (ClientError, CommandError):
            return begin, []
        lengths = {each["length"] for each in targets if "length" in each}
        if len(lengths) == 1:
            begin = len(before) - lengths.pop()
        return begin, [str(each.get("text") or each["label"]) for each in targets]
