"""Code objects that have been seen, by identity.

Code objects with the same text compare equal, so nothing here is keyed by a code object: `id(code)` is the
key and a weak reference says when that id may be used again. Programs that `exec` all day are not kept
from forgetting their code.
"""

from __future__ import annotations

from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType


class CodeRef(ref):  # type: ignore[type-arg]
    """A weak reference that knows the id its code object had."""

    __slots__ = ("key",)

    key: int


class CodeRecord:
    """A set of code objects, held weakly; the latest module body is held, for its tree tells all lines."""

    __slots__ = ("_forget", "_refs", "lines", "module", "on_death")

    def __init__(self) -> None:
        refs: dict[int, CodeRef] = {}
        lines: dict[int, frozenset[int]] = {}
        self._refs = refs
        self.lines = lines  # by id(code), for those asked about
        self.module: CodeType | None = None
        self.on_death: Callable[[int], None] | None = None

        def forget(dead: CodeRef) -> None:
            # Called while the code object dies, before its id can be given to another.
            refs.pop(dead.key, None)
            lines.pop(dead.key, None)
            if self.on_death is not None:
                self.on_death(dead.key)

        self._forget = forget

    def add(self, code: CodeType) -> None:
        key = id(code)
        if key not in self._refs:
            reference = CodeRef(code, self._forget)
            reference.key = key
            self._refs[key] = reference
            if code.co_name == "<module>":
                self.module = code

    def clear(self) -> None:
        self._refs.clear()
        self.lines.clear()
        self.module = None

    def __iter__(self) -> Iterator[CodeType]:
        for reference in list(self._refs.values()):
            code = reference()
            if code is not None:
                yield code

    def __len__(self) -> int:
        return len(self._refs)
