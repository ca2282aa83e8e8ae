"""Source text: from the disk if the file is here, from the adapter if not; and what stands where in it.

Structure (which function is around a line, where a function's body begins) is read with `ast`: a
file with a syntax error has lines, but no structure.
"""

from __future__ import annotations

import ast
import tokenize
from typing import Any, NamedTuple

from remora.client import ClientError, DebugSession

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Block(NamedTuple):
    """A function (or a class, or the whole file, with no name): its lines, both included."""

    name: str
    first: int
    last: int
    arguments: tuple[str, ...] = ()


class SourceFile:
    """The text of one source."""

    def __init__(self, text: str) -> None:
        self.text = text
        # Not splitlines(): a form feed, common in old sources, ends no line.
        self.lines = text.split("\n")
        self._colored: list[str] | None = None
        try:
            self._tree: ast.Module | None = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            self._tree = None

    def line(self, number: int) -> str:
        """Return a line, "" beyond the ends."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def shown(self, number: int, *, color: bool) -> str:
        """Return a line for the eye: coloured if pygments is there."""
        if color:
            if self._colored is None:
                self._colored = _colored(self.text) or self.lines
            if 0 < number <= len(self._colored):
                return self._colored[number - 1]
        return self.line(number)

    def block_around(self, line: int) -> Block:
        """Return the innermost function or lambda-free block around a line; the whole file if none."""
        best = Block("", 1, len(self.lines))
        for node, name in self._definitions(_FUNCTIONS):
            first, last = _span(node)
            if first <= line <= last and (best.name == "" or first >= best.first):
                best = Block(name, first, last, _arguments(node))
        return best

    def find(self, qualified_name: str) -> int | None:
        """Return the first line of the body of a function (`name` or `Class.name`), past its docstring."""
        for node, name in self._definitions(_FUNCTIONS):
            if name == qualified_name:
                body = [each for each in node.body if not _is_docstring(each)] or node.body
                return int(body[0].lineno)
        return None

    def names(self) -> list[str]:
        """Return the qualified names of all functions."""
        return [name for _, name in self._definitions(_FUNCTIONS)]

    def _definitions(self, kinds: tuple[type, ...]) -> list[tuple[Any, str]]:
        found: list[tuple[Any, str]] = []

        def visit(node: ast.AST, prefix: str) -> None:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
                    name = prefix + child.name
                    if isinstance(child, kinds):
                        found.append((child, name))
                    visit(child, name + ".")
                else:
                    visit(child, prefix)

        if self._tree is not None:
            visit(self._tree, "")
        return found


class Sources:
    """The sources of a session; texts are kept until `forget`."""

    def __init__(self) -> None:
        self._files: dict[Any, SourceFile] = {}

    def forget(self) -> None:
        """Read everything anew from now on: files change, references end with their session."""
        self._files.clear()

    def get(self, source: dict[str, Any] | None, session: DebugSession | None) -> SourceFile | None:
        """Return the text of a DAP Source, None if nobody has it."""
        if not source:
            return None
        reference = source.get("sourceReference") or 0
        path = source.get("path") or ""
        key = reference or path
        if key not in self._files:
            text = None if reference else read_source(path)
            if text is None and session is not None:
                arguments = {"source": source, "sourceReference": reference}
                try:
                    text = session.ask("source", arguments).get("content")
                except ClientError:
                    text = None
            if text is None:
                return None
            self._files[key] = SourceFile(text)
        return self._files[key]


def read_source(path: str) -> str | None:
    """Return the text of a Python file here, in its declared encoding; None if there is none."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError):
        return None


def _span(node: Any) -> tuple[int, int]:
    decorators = [each.lineno for each in node.decorator_list]
    return min([node.lineno, *decorators]), node.end_lineno or node.lineno


def _arguments(node: Any) -> tuple[str, ...]:
    spec: ast.arguments = node.args
    every = [*spec.posonlyargs, *spec.args, spec.vararg, *spec.kwonlyargs, spec.kwarg]
    return tuple(each.arg for each in every if each is not None)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _colored(text: str) -> list[str] | None:
    try:
        import pygments  # type: ignore[import-untyped]
        from pygments.formatters import TerminalFormatter  # type: ignore[import-untyped]
        from pygments.lexers import PythonLexer  # type: ignore[import-untyped]
    except ImportError:
        return None
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    shown: str = pygments.highlight(text, lexer, TerminalFormatter(bg="dark"))
    return shown.split("\n")
