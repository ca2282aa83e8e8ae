"""User code: which code objects belong to the program, and which only serve it.

Decided once per resolved path. By default: everything but the standard library, installed packages, code made
at run time by libraries (`<string>` and the like), and remora itself. Rules of the session come first, and
the first one that matches decides.
"""

from __future__ import annotations

import os
import sys

from .files import OWN_DIRECTORY, STDLIB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_INTERACTIVE = ("<stdin>", "<console>", "<input>", "<ipython-input", "<cell", "<python-input")


class Rule:
    """One line of the just-my-code rules; the first that matches decides."""

    __slots__ = ("include", "module", "path")

    def __init__(self, include: bool, path: str | None = None, module: str | None = None) -> None:
        self.include = include
        self.path = (
            path  # a glob over the resolved path: * and ? within a folder, ** across, a folder for all in it
        )
        self.module = module  # a module, or a package with all that is below it

    def __repr__(self) -> str:
        return f"Rule(include={self.include}, path={self.path!r}, module={self.module!r})"


class UserCode:
    """The rules as they stand."""

    def __init__(self) -> None:
        self.just_my_code = True
        self._rules: list[tuple[bool, Glob | None, str | None]] = []
        self._entries: set[str] = set()

    def set_rules(self, rules: Sequence[Rule]) -> None:
        self._rules = [(rule.include, Glob(rule.path) if rule.path else None, rule.module) for rule in rules]

    def add_entry(self, path: str) -> None:
        """The main program is user code, wherever it lies (`<string>` for `-c`)."""
        self._entries.add(path)

    def is_user(self, path: str) -> bool:
        """Whether code of the file at this resolved path (or `<name>`) is the user's."""
        if path.startswith(OWN_DIRECTORY):
            return False
        for include, pattern, module in self._rules:
            if pattern is not None and pattern.matches(path):
                return include
            if module is not None and in_module(path, module):
                return include
        if path in self._entries:
            return True
        if path.startswith("<"):
            return path.startswith(_INTERACTIVE) or (path == "<string>" and _main_has_no_file())
        if any(part in path for part in _INSTALLED):
            return False
        return not path.startswith(STDLIB + os.sep)


def _main_has_no_file() -> bool:
    main = sys.modules.get("__main__")
    return main is not None and getattr(main, "__file__", None) is None


class Glob:
    """A path glob: `*` and `?` stay within a folder, `**` crosses folders, a folder stands for all in it.

    By hand: `re` is a third of what the engine would load, and may be a file of the program's by then.
    """

    __slots__ = ("_parts",)

    def __init__(self, pattern: str) -> None:
        pattern = os.path.normcase(pattern).rstrip(os.sep)
        parts = pattern.split(os.sep)
        if not pattern.startswith((os.sep, "*", "<")) and ":" not in pattern[:2]:
            parts.insert(0, "**")  # a relative one may lie anywhere
        # The folders, with `**` where any number of them may be.
        self._parts = parts

    def matches(self, path: str) -> bool:
        return _folders_match(self._parts, path.split(os.sep))


def _folders_match(parts: list[str], folders: list[str]) -> bool:
    """Whether the beginning of `folders` fits all of `parts`."""
    for index, part in enumerate(parts):
        if part == "**":
            rest = parts[index + 1 :]
            if not rest:
                return index < len(folders)
            return any(_folders_match(rest, folders[start:]) for start in range(index, len(folders)))
        if index >= len(folders) or not _name_matches(part, folders[index]):
            return False
    return True


def _name_matches(pattern: str, name: str) -> bool:
    """Whether the whole of one name fits; the classic walk with one step back to the last star."""
    at = star = -1
    position = index = 0
    while index < len(name):
        if position < len(pattern) and pattern[position] == "*":
            star, at = position, index
            position += 1
        elif position < len(pattern) and pattern[position] in ("?", name[index]):
            position += 1
            index += 1
        elif star >= 0:
            at += 1
            position, index = star + 1, at
        else:
            return False
    return not pattern[position:].strip("*")


def in_module(path: str, module: str) -> bool:
    """Whether the file at `path` is `module` or lies in the package of that name."""
    name = module_name(path)
    return name is not None and (name == module or name.startswith(module + "."))


def module_name(path: str) -> str | None:
    """The dotted name `path` would be imported by: its path below the longest entry of sys.path."""
    best = ""
    for entry in sys.path:
        root = os.path.realpath(entry or os.curdir)
        if path.startswith(root + os.sep) and len(root) > len(best):
            best = root
    if not best:
        return None
    stem, extension = os.path.splitext(path[len(best) + 1 :])
    if extension not in (".py", ".pyw"):
        return None
    name = stem.replace(os.sep, ".")
    return name.removesuffix(".__init__")
