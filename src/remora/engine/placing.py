"""Placing: from the line of a wish to a line with code, and what to say when that is another line or none.

Where the lines of a file are learnt from, best first: its module body if it is in memory; its .pyc; the live
functions of the imported module (enough for most wishes, and no compiling); its source, compiled.
"""

from __future__ import annotations

import os
import sys

from . import sources
from .breakpoints import Breakpoint
from .frames import current_frames
from .lines import LineTable, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType

    from .files import File


class Placer:
    """Gives breakpoints their lines."""

    def __init__(self, resolve: Callable[[str], str]) -> None:
        self._resolve = resolve

    def place(self, file: File, breakpoints: Sequence[Breakpoint]) -> None:
        """Set state, line and message of each. On the agent's thread."""
        if not breakpoints:
            return
        table = self._known_table(file)
        rest = list(breakpoints)
        if table is None:
            functions = self._live_functions(file)
            if functions:
                rest = [item for item in rest if not _place_in_functions(functions, item)]
            if not rest:
                return
            try:
                table = LineTable(sources.from_source(file.path))
            except sources.SyntaxProblem as error:
                for item in rest:
                    item.wait(f"The lines of this file are not known: {error}")
                return
            except sources.SourceUnavailable:
                for item in rest:
                    item.wait("No code of this file has been loaded yet, and there is no such file here.")
                return
            self._keep(file, table)
        text = sources.Text(file.path)
        for item in rest:
            _place(table, item, text)

    def place_in_code(self, file: File, code: CodeType, breakpoints: Sequence[Breakpoint]) -> None:
        """Code of a file runs for the first time: place what it covers. On the program's thread."""
        if code.co_name == "<module>":
            table = LineTable(code)
            text = sources.Text(file.path)
            for item in breakpoints:
                _place(table, item, text)
        else:
            functions = [Unit(code)]
            for item in breakpoints:
                _place_in_functions(functions, item)

    def is_stale(self, file: File) -> bool:
        """Whether the file has changed since its breakpoints were placed."""
        return file.table is not None and file.table_stamp != sources.stamp(file.path)

    def _known_table(self, file: File) -> LineTable | None:
        module = file.codes.module or self._running_module(file)
        table = file.table
        if module is not None:
            if table is None or table.root.code is not module:
                table = LineTable(module)
                self._keep(file, table)
            return table
        if table is not None and file.table_stamp == sources.stamp(file.path):
            return table
        code = sources.from_pyc(file.path)
        if code is None:
            return None
        table = LineTable(code)
        self._keep(file, table)
        return table

    def _keep(self, file: File, table: LineTable) -> None:
        file.table = table
        file.table_stamp = sources.stamp(file.path)

    def _running_module(self, file: File) -> CodeType | None:
        for top in list(current_frames().values()):
            frame = top
            while frame is not None:
                code = frame.f_code
                if code.co_name == "<module>" and self._resolve(code.co_filename) == file.path:
                    return code
                frame = frame.f_back  # type: ignore[assignment]
        return None

    def _live_functions(self, file: File) -> list[Unit]:
        name = os.path.basename(file.path)
        for module in list(sys.modules.values()):
            namespace = getattr(module, "__dict__", None)
            if not isinstance(namespace, dict):
                continue
            path = namespace.get("__file__")
            if isinstance(path, str) and path.endswith(name) and self._resolve(path) == file.path:
                return [Unit(code) for code in _codes_in(namespace, file, self._resolve)]
        return []


def _codes_in(namespace: dict[str, object], file: File, resolve: Callable[[str], str]) -> list[CodeType]:
    """Code of functions and methods found in a module's namespace, without running anything of it."""
    found: dict[int, CodeType] = {}
    classes: set[int] = set()
    pending = list(namespace.values())
    while pending:
        value = pending.pop()
        kind = type(value)
        if kind in (staticmethod, classmethod):
            value = value.__func__  # type: ignore[attr-defined]
        elif kind is property:
            pending.extend(part for part in (value.fget, value.fset, value.fdel) if part)  # type: ignore[attr-defined]
            continue
        elif isinstance(value, type):
            if value.__module__ == namespace.get("__name__") and id(value) not in classes:
                classes.add(id(value))
                pending.extend(type.__getattribute__(value, "__dict__").values())
            continue
        if type(value) is _FUNCTION:
            code: CodeType = value.__code__  # type: ignore[attr-defined,unused-ignore]
            if resolve(code.co_filename) == file.path:
                found[id(code)] = code
            inner = value.__dict__.get("__wrapped__")
            if inner is not None:
                pending.append(inner)
    return list(found.values())


_FUNCTION = type(_codes_in)


def _place(table: LineTable, item: Breakpoint, text: sources.Text) -> None:
    wished = item.wish.line
    line = table.place(wished)
    if line is None:
        item.fail("There is no code in this file.")
    elif line == wished:
        item.verify(line)
    else:
        ended = _function_ended_by(table.root, wished, text)
        if ended is not None:
            line = ended.lines[-1]
        item.verify(line, _moved(wished, line))


def _function_ended_by(root: Unit, line: int, text: sources.Text) -> Unit | None:
    """The function that a comment belongs to which stands behind its last line of code; by its indentation.

    Code objects know where their code ends, not where their text does.
    """
    indentation = text.comment_indentation(line)
    if not indentation:
        return None
    around = root
    while inner := [child for child in around.children_at(line) if _is_written(child)]:
        around = inner[-1]
    found = None
    while True:
        before = [child for child in around.children if child.extent < line and _is_written(child)]
        if not before or any(before[-1].extent < own < line for own in around.lines):
            return found
        if text.indentation(before[-1].first) >= indentation:
            return found
        found = around = before[-1]


def _is_written(unit: Unit) -> bool:
    """A function or class with lines of its own, no lambda or comprehension."""
    return bool(unit.lines) and not unit.code.co_name.startswith("<")


def _place_in_functions(functions: list[Unit], item: Breakpoint) -> bool:
    """Place a breakpoint that lies inside one of these functions; False if it may be anywhere else."""
    wished = item.wish.line
    for unit in functions:
        # The `def` line and its decorators belong to the code around it, which is not here.
        if unit.first < wished <= unit.extent or wished in unit.lines:
            line = LineTable(unit.code).place(wished)
            if line is not None:
                item.verify(line, None if line == wished else _moved(wished, line))
                return True
    return False


def _moved(wished: int, line: int) -> str:
    where = "next line with code" if line > wished else "nearest line with code before it"
    return f"Line {wished} has no code: moved to the {where}, {line}."
