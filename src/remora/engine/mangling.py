"""Private names: the class a piece of code was written in, and what the compiler makes of `__name` there."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_OPTIMIZED = 0x1  # CO_OPTIMIZED: a function, which has its own name at the end of the qualified one


def class_of(code: CodeType) -> str | None:
    """The innermost class whose body holds `code` (or is it), by its qualified name; None outside classes.

    None for a class of underscores only too: in it nothing is mangled.
    """
    parts = code.co_qualname.split(".")
    if code.co_flags & _OPTIMIZED:
        parts.pop()
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if part == "<locals>" or (index + 1 < len(parts) and parts[index + 1] == "<locals>"):
            continue
        return part if part.isidentifier() and part.strip("_") else None
    return None


def mangle(name: str, owner: str | None) -> str:
    """The name as the compiler writes it in class `owner`."""
    if owner is None or not name.startswith("__") or name.endswith("__"):
        return name
    return f"_{owner.lstrip('_')}{name}"
