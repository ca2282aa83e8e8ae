"""User code: which code objects belong to the program, and which only serve it."""

from __future__ import annotations


class Rule:
    """One line of the just-my-code rules; the last rule that matches decides."""

    __slots__ = ("include", "module", "path")

    def __init__(self, include: bool, path: str | None = None, module: str | None = None) -> None:
        self.include = include
        self.path = path  # a glob over the resolved path: * ? and ** as in gitignore
        self.module = module  # a module, or a package with all that is below it

    def __repr__(self) -> str:
        return f"Rule(include={self.include}, path={self.path!r}, module={self.module!r})"
