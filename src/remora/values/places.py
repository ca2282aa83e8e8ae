"""Where a value was written: the definition of a function or a class, the line a generator stands at.

Read from what Python keeps, without running code of the program. A class knows its line from 3.13 on.
"""

from __future__ import annotations

import sys

from remora.values.running import KINDS
from remora.values.static import CODE, FUNCTION, METHOD, is_class, namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WRAPPERS = (staticmethod, classmethod)
_RUNNING = {kind: prefix for kind, prefix, _ in KINDS}


def place_of(value: Any) -> tuple[str, int] | None:
    """File name (as the code has it) and line; None for what is not written anywhere."""
    cls = type(value)
    if cls is METHOD or cls in _WRAPPERS:
        value = value.__func__
        cls = type(value)
    if cls is FUNCTION:
        value = value.__code__
    if type(value) is CODE:
        return value.co_filename, value.co_firstlineno
    prefix = _RUNNING.get(cls)
    if prefix is not None:
        code, frame = getattr(value, f"{prefix}_code"), getattr(value, f"{prefix}_frame")
        return code.co_filename, (frame.f_lineno if frame is not None else None) or code.co_firstlineno
    if is_class(value):
        return _class(value)
    return None


def _class(cls: type) -> tuple[str, int] | None:
    own = namespace(cls)
    line, module = own.get("__firstlineno__"), own.get("__module__")
    if type(line) is not int or type(module) is not str:
        return None
    for found in own.values():
        if type(found) is FUNCTION and found.__module__ == module:
            return found.__code__.co_filename, line
    holder = sys.modules.get(module)
    file = object.__getattribute__(holder, "__dict__").get("__file__") if holder is not None else None
    return (file, line) if type(file) is str else None
