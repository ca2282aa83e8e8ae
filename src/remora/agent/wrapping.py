"""Functions of the standard library that we stand in for while there is need, and give back exactly.

A wrapper has the name, module, signature and documentation of what it wraps, and pickles as that. Nothing is
taken from under somebody who has put a wrapper of their own on top: ours stays below it then, and `around`
has to pass on what it is given once it is no longer needed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Is called with the original and what the program gave.
    type Around = Callable[..., Any]


class Wrappers:
    """A set of wrappers that come and go together."""

    __slots__ = ("_installed",)

    def __init__(self) -> None:
        self._installed: list[tuple[Any, str, Any, Any]] = []  # module, name, wrapper, original

    def __bool__(self) -> bool:
        return bool(self._installed)

    def wrap(self, around: Around, name: str, *modules: Any) -> None:
        """Replace a function wherever one of the modules has it by this name (the first must)."""
        original = getattr(modules[0], name)
        wrapper = _wrapper(around, original)
        for module in modules:
            if getattr(module, name, None) is original:
                self.alias(module, name, wrapper)

    def alias(self, module: Any, name: str, wrapper: Any) -> None:
        """Put a wrapper in another place."""
        self._installed.append((module, name, wrapper, getattr(module, name)))
        setattr(module, name, wrapper)

    def remove(self) -> None:
        while self._installed:
            module, name, wrapper, original = self._installed.pop()
            if module.__dict__.get(name) is wrapper:
                setattr(module, name, original)


def _wrapper(around: Around, original: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    wrapper.__wrapped__ = original  # type: ignore[attr-defined]
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(wrapper, attribute, getattr(original, attribute, None))
    return wrapper
