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
    import re
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
        self._rules: list[tuple[bool, re.Pattern[str] | None, str | None]] = []
        self._entries: set[str] = set()

    def set_rules(self, rules: Sequence[Rule]) -> None:
        self._rules = [(rule.include, glob(rule.path) if rule.path else None, rule.module) for rule in rules]

    def add_entry(self, path: str) -> None:
        """The main program is user code, wherever it lies (`<string>` for `-c`)."""
        self._entries.add(path)

    def is_user(self, path: str) -> bool:
        """Whether code of the file at this resolved path (or `<name>`) is the user's."""
        if path.startswith(OWN_DIRECTORY):
            return False
        for include, pattern, module in self._rules:
            if pattern is not None and pattern.fullmatch(path):
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


def glob(pattern: str) -> re.Pattern[str]:
    """Compile a path glob: `*` and `?` stay within a folder, `**` crosses folders."""
    import re  # late: only rules with paths need it, and it brings five modules
    pattern = os.path.normcase(pattern).rstrip(os.sep)
    result = ""
    index = 0
    while index < len(pattern):
        if pattern.startswith("**" + os.sep, index):
            result += f"(?:.*{re.escape(os.sep)})?"
            index += 3
            continue
        if pattern.startswith("**", index):
            result += ".*"
            index += 2
            continue
        char = pattern[index]
        if char == "*":
            result += f"[^{re.escape(os.sep)}]*"
        elif char == "?":
            result += f"[^{re.escape(os.sep)}]"
        else:
            result += re.escape(char)
        index += 1
    if not pattern.startswith((os.sep, "*", "<")) and ":" not in pattern[:2]:
        result = f"(?:.*{re.escape(os.sep)})?" + result
    return re.compile(result + f"(?:{re.escape(os.sep)}.*)?", re.DOTALL)


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
