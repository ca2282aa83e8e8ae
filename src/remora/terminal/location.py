"""Places as people type them: `12`, `shop.py:12`, `total`, `Order.total`, `shop.py:12, n > 3`."""

from __future__ import annotations

import ast
import os
from typing import NamedTuple

from remora.terminal.debugger import Debugger
from remora.terminal.process import CommandError, State


class Location(NamedTuple):
    """A line of a file; or, where the adapter binds names itself, a function (the path is empty then)."""

    path: str
    line: int
    function: str = ""


def split_condition(text: str) -> tuple[str, str]:
    """Cut `place, condition` at the first comma."""
    where, _, condition = text.partition(",")
    return where.strip(), condition.strip()


def find(debugger: Debugger, where: str) -> Location:
    """Return the place meant. CommandError."""
    if where.isdecimal():
        return Location(_current_path(debugger), _line(where))
    head, colon, tail = where.rpartition(":")
    if colon and tail.strip().isdecimal():
        return Location(find_file(debugger, head.strip()), _line(tail.strip()))
    if colon and head:
        raise CommandError(f"{tail!r} is no line number")
    return _function(debugger, where)


def _line(text: str) -> int:
    if int(text) < 1:
        raise CommandError("lines are counted from 1")
    return int(text)


def _current_path(debugger: Debugger) -> str:
    if debugger.process.state is State.STOPPED:
        path = (debugger.process.frame().get("source") or {}).get("path")
        if path:
            return str(path)
        raise CommandError("the current frame has no file; name one: FILE:LINE")
    if debugger.target.main_file:
        return debugger.target.main_file
    raise CommandError("no file is current yet; name one: FILE:LINE")


def find_file(debugger: Debugger, name: str) -> str:
    """Return the path of a file: here, beside the current one, or as the program knows it."""
    names = [name] if name.endswith(".py") else [name, name + ".py"]
    folders = [""]
    if debugger.target.main_file:
        folders.append(os.path.dirname(debugger.target.main_file))
    known = []
    if debugger.process.state is State.STOPPED:
        known = [str((frame.get("source") or {}).get("path") or "") for frame in debugger.process.frames()]
        folders.append(os.path.dirname(known[0]))
    for each in names:
        for folder in folders:
            path = os.path.abspath(os.path.join(folder, os.path.expanduser(each)))
            if os.path.isfile(path):
                return path
    for each in names:
        for path in known:
            if path == each or path.replace("\\", "/").endswith("/" + each.lstrip("./")):
                return path
    if not debugger.target.is_local and os.path.isabs(name):
        return name  # a file of the other machine
    raise CommandError(f"there is no file {name!r}")


def _function(debugger: Debugger, name: str) -> Location:
    if not all(part.isidentifier() for part in name.split(".")):
        raise CommandError(f"{name!r} is no line, no FILE:LINE and no function")
    if debugger.capabilities.get("supportsFunctionBreakpoints"):
        return Location("", 0, name)
    try:
        path = _current_path(debugger)
    except CommandError:
        path = ""
    if path:
        file = debugger.process.source_at(path)
        line = file.find(name) if file is not None else None
        if line is not None:
            return Location(path, line)
    if debugger.process.state is State.STOPPED:
        found = _ask_where(debugger, name)
        if found is not None:
            return found
    raise CommandError(f"no function {name!r} is known here; give its FILE:LINE")


def _ask_where(debugger: Debugger, name: str) -> Location | None:
    """Ask the program for the first line of a function's body."""
    question = (
        f"(lambda f: (lambda c: (c.co_filename, min((n for _, _, n in c.co_lines() if n and "
        f"n > c.co_firstlineno), default=c.co_firstlineno)))(f.__code__))"
        f"((lambda f: getattr(f, '__wrapped__', f))({name}))"
    )
    try:
        path, line = ast.literal_eval(str(debugger.process.evaluate(question).get("result", "")))
    except (CommandError, ValueError, SyntaxError, TypeError):
        return None
    return Location(str(path), int(line))
