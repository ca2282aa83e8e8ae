"""Where the text of code is: a file, or a text known under a handle for the whole session.

Code without a file may still have text: registered by whoever compiled it, in `linecache` (consoles,
notebooks, `python -c` on 3.13+), or held by the module's loader (zip archives). What has none is shown as
bytecode, each instruction on the line it came from, so that the stopped line can still be marked.

Source handles are their own numbers, given once per text and never taken back. Finding out whether a text
exists is cheap; the text itself is read when asked for.
"""

from __future__ import annotations

import os
import sys

from remora.values.answers import FrameDescription, StaleHandle
from remora.values.static import CODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    from remora.engine import StackEntry


NO_FILE = "code without a file"


class Sources:
    """The texts of one session."""

    __slots__ = ("_by_code", "_by_key", "_files", "_texts")

    def __init__(self) -> None:
        # Codes with the same text are equal: keyed by id, and the code kept alive with it.
        self._by_code: dict[int, tuple[CodeType, int]] = {}
        self._by_key: dict[tuple[str, str], int] = {}
        self._files: dict[str, str] = {}
        self._texts: list[Callable[[], str] | str] = []

    def describe(self, entry: StackEntry) -> FrameDescription:
        frame = entry.frame
        code = frame.f_code
        module = frame.f_globals.get("__name__")
        module = module if type(module) is str else ""
        name = "<module>" if code.co_name == "<module>" else code.co_qualname
        path = self._file(code.co_filename, frame.f_globals)
        if path is not None:
            return FrameDescription(name, module, source_name=os.path.basename(path), source_path=path)
        handle, origin = self._handle(code, module, frame.f_globals)
        shown = os.path.basename(code.co_filename) or code.co_filename
        return FrameDescription(
            name, module, source_name=shown or "<unknown>", source_handle=handle, origin=origin
        )

    def register(self, code: CodeType, text: str) -> int:
        """Remember the text of `code` and of the code nested in it."""
        handle = self._add(text)
        todo = [code]
        while todo:
            one = todo.pop()
            self._by_code[id(one)] = (one, handle)
            todo.extend(c for c in one.co_consts if type(c) is CODE)
        return handle

    def text(self, handle: int) -> str:
        if not 0 < handle <= len(self._texts):
            raise StaleHandle(handle)
        found = self._texts[handle - 1]
        if not isinstance(found, str):
            found = self._texts[handle - 1] = found()
        return found

    def _add(self, text: Callable[[], str] | str) -> int:
        self._texts.append(text)
        return len(self._texts)

    def file(self, filename: str) -> str | None:
        """The existing file of that name in a code object."""
        return self._file(filename, {})

    def _file(self, filename: str, namespace: dict[str, Any]) -> str | None:
        """The existing file that holds the code's text."""
        if filename.startswith("<frozen "):
            # The frozen part of the standard library has its text in files all the same.
            found = namespace.get("__file__")
            if type(found) is not str:
                found = _importlib_file(filename)
            return found if found and os.path.isfile(found) else None
        known = self._files.get(filename)
        if known is None and not filename.startswith("<"):
            path = os.path.abspath(filename)
            if os.path.isfile(path):  # one that is not there may still be written
                known = self._files[filename] = path
        return known

    def _handle(self, code: CodeType, module: str, namespace: dict[str, Any]) -> tuple[int, str]:
        registered = self._by_code.get(id(code))
        if registered is not None:
            return registered[1], NO_FILE
        filename = code.co_filename
        key = (filename, module)
        known = self._by_key.get(key)
        if known is not None:
            return known, NO_FILE if filename.startswith("<") else f"inside {_archive(filename)}"
        linecache = sys.modules.get("linecache")
        if linecache is not None and filename in linecache.cache:
            text = "".join(linecache.getlines(filename, namespace))
            if text and filename not in _SHARED_NAMES:
                handle = self._by_key[key] = self._add(text)
                return handle, NO_FILE
            if text and _holds(text, code):
                handle = self._add(text)
                self._by_code[id(code)] = (code, handle)
                return handle, NO_FILE
        loader: Any = namespace.get("__loader__")
        spec = namespace.get("__spec__")
        name = getattr(spec, "name", None) or module
        if not filename.startswith("<") and hasattr(type(loader), "get_source"):

            def read() -> str:
                try:
                    return loader.get_source(name) or _bytecode(code)
                except Exception:  # boundary: a loader of the program
                    return _bytecode(code)

            handle = self._by_key[key] = self._add(read)
            return handle, f"inside {_archive(filename)}"
        handle = self._add(lambda: _bytecode(code))
        self._by_code[id(code)] = (code, handle)
        return handle, "bytecode: the text of this code is not known"


# All code without a name is called so: what `python -c` put into linecache is not the text of every exec().
_SHARED_NAMES = ("<string>", "<stdin>")


def _holds(text: str, code: CodeType) -> bool:
    """Whether compiling `text` gives this code object."""
    try:
        todo = [compile(text, code.co_filename, "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):
        return False
    while todo:
        one = todo.pop()
        if one == code:
            return True
        todo.extend(const for const in one.co_consts if type(const) is CODE)
    return False


def _importlib_file(filename: str) -> str | None:
    name = filename[len("<frozen ") : -1]
    folder = os.path.dirname(os.__file__)
    path = os.path.join(folder, *name.split(".")) + ".py"
    return path if os.path.isfile(path) else None


def _archive(filename: str) -> str:
    """The part of a path like /x/y.zip/pkg/m.py that exists."""
    path = filename
    while path and not os.path.exists(path):
        parent = os.path.dirname(path)
        if parent == path:
            return filename
        path = parent
    return os.path.basename(path) or path


def _bytecode(code: CodeType) -> str:
    """Write the instructions of a code object on the lines they came from."""
    import importlib

    dis = importlib.import_module("dis")
    lines: dict[int, list[str]] = {}
    todo = [code]
    while todo:
        one = todo.pop(0)
        todo.extend(c for c in one.co_consts if type(c) is CODE)
        line = one.co_firstlineno
        for instruction in dis.get_instructions(one):
            place = instruction.positions.lineno if instruction.positions else None
            line = place or line
            shown = f"{instruction.opname} {instruction.argrepr}".strip()
            lines.setdefault(max(line, 1), []).append(shown)
    last = max(lines, default=0)
    head = "# The text of this code is not known; its instructions, line by line:"
    written = ["; ".join(lines.get(number, ())) for number in range(1, last + 1)]
    if written and not written[0]:
        written[0] = head
    elif written:
        written[0] += f"   {head}"
    return "\n".join(written) + "\n"


def line_of(filename: str, line: int, namespace: dict[str, Any]) -> str:
    """One line of source for a traceback, or an empty string."""
    import linecache

    try:
        return linecache.getline(filename, line, namespace)
    except Exception:  # boundary: linecache calls the module's loader, which may be the program's
        return ""
