"""The names of one frame: what they are bound to, and binding them anew.

`frame.f_locals` is three things: for functions on 3.13+ a write-through proxy; for functions on 3.12 a dict
refreshed at each access, whose changes reach the frame only through `PyFrame_LocalsToFast`; for module and
class bodies the real namespace. Names that a console makes up (`y = 1` in a function without a `y`) are kept
by the frame itself beside its own (`f_locals` allows extra keys), so they live as long as the call.

A comprehension that runs inlined (PEP 709) in a module or class body has fast locals of its own, "hidden"
ones: on 3.13+ `f_locals` is then a proxy that shows only those.

Runs on the thread of the frame, which is stopped: nothing changes under our feet.
"""

from __future__ import annotations

import sys

from remora.engine.mangling import class_of
from remora.values.static import MISSING, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

OPTIMIZED = 0x1  # inspect.CO_OPTIMIZED: a function, its locals are in fast slots
WRITES_THROUGH = sys.version_info >= (3, 13)  # PEP 667


class Names:
    """Read and bind the names of a frame."""

    __slots__ = ("code", "frame", "globals", "hidden", "is_function", "is_module", "mapping")

    def __init__(self, frame: FrameType) -> None:
        code = frame.f_code
        self.frame = frame
        self.code = code
        self.globals: dict[str, Any] = frame.f_globals
        self.is_function = bool(code.co_flags & OPTIMIZED)
        # Of a module or class body: the namespace statements there bind in.
        self.mapping: Any = None
        self.hidden: tuple[str, ...] = ()
        if not self.is_function:
            self._find_namespace(frame.f_locals)
        self.is_module = self.mapping is self.globals

    def _find_namespace(self, found: Any) -> None:
        self.mapping = found
        if found is self.globals:
            return
        self.hidden = tuple(name for name in self.code.co_varnames if _holds(found, name))
        if self.hidden and self.code.co_name == "<module>":
            self.mapping = self.globals
        elif type_name(type(found)) == "FrameLocalsProxy":
            self.mapping = {}  # a class body inside a comprehension of its own: its dict is out of reach

    def local_names(self) -> list[str]:
        """Bound names that belong to the frame, arguments first, then as they appear in the code."""
        if not self.is_function:
            names = list(self.hidden)
            if not self.is_module:
                own = [k for k in _keys(self.mapping) if type(k) is str]
                names += [name for name in own if name not in self.hidden]
            return names
        found = self.frame.f_locals
        names = [
            name for name in dict.fromkeys(self.code.co_varnames + self.code.co_cellvars) if name in found
        ]
        known = set(self.code.co_varnames + self.code.co_cellvars + self.code.co_freevars)
        return names + [name for name in found if name not in known]

    def free_names(self) -> list[str]:
        """Bound names the function takes from the functions round it."""
        if not self.code.co_freevars:
            return []
        found = self.frame.f_locals
        return [name for name in self.code.co_freevars if name in found]

    def knows(self, name: str) -> bool:
        """Whether the name belongs to the frame, bound or not."""
        if self.is_function:
            code = self.code
            return (
                name in code.co_varnames
                or name in code.co_cellvars
                or name in code.co_freevars
                or name in self.frame.f_locals
            )
        if name in self.hidden or name in self.code.co_freevars:
            return True
        return not self.is_module and _holds(self.mapping, name)

    def read(self, name: str) -> Any:
        """The value of a name of the frame itself (not of the globals); MISSING if unbound."""
        if self.is_function or name in self.hidden or name in self.code.co_freevars:
            try:
                return self.frame.f_locals[name]
            except KeyError:
                return MISSING
        return _value(self.mapping, name)

    def look_up(self, name: str) -> Any:
        """The value the name has at this place of the program: own, global, builtin; else MISSING."""
        if not self.is_module or name in self.hidden:
            value = self.read(name)
            if value is not MISSING:
                return value
        value = dict.get(self.globals, name, MISSING)
        return builtins_of(self.globals).get(name, MISSING) if value is MISSING else value

    def bind(self, name: str, value: object) -> None:
        """Bind a name in the frame; a name the frame does not know is added beside its own."""
        if self.is_function:
            found = self.frame.f_locals
            found[name] = value
            if not WRITES_THROUGH:
                locals_to_fast(self.frame)
        elif name in self.hidden:
            if not WRITES_THROUGH:
                raise ValueError(f"{name!r} belongs to a comprehension in progress and cannot be set on 3.12")
            self.frame.f_locals[name] = value
        elif name in self.code.co_freevars and WRITES_THROUGH and type(self.mapping) is not dict:
            self.frame.f_locals[name] = value
        else:
            self.mapping[name] = value

    def unbind(self, name: str) -> None:
        """Undo a binding. ValueError for a function's own names: CPython has no way to do it."""
        if not self.is_function and name not in self.hidden:
            del self.mapping[name]
            return
        try:
            if name in self.code.co_varnames + self.code.co_cellvars + self.code.co_freevars:
                raise TypeError
            del self.frame.f_locals[name]
        except (TypeError, ValueError):  # 3.13 and later refuse, the first ones even for made-up names
            raise ValueError(f"the local variable {name!r} cannot be deleted from outside") from None

    def snapshot(self) -> dict[str, Any]:
        """A copy of what `locals()` would give here."""
        if self.is_module and not self.hidden:
            return self.globals
        return {
            name: value
            for name in self.local_names() + self.free_names()
            if (value := self.read(name)) is not MISSING
        }

    def enclosing_class(self) -> str | None:
        """Name of the innermost class whose body this code was written in; it mangles `__names`."""
        return class_of(self.code)


def builtins_of(namespace: dict[str, Any]) -> dict[str, Any]:
    found = dict.get(namespace, "__builtins__", None)
    if type(found) is dict:
        return found
    return vars(sys.modules["builtins"] if found is None else found)


def locals_to_fast(frame: FrameType) -> None:
    """3.12 only: carry changes of `f_locals` into the frame."""
    import ctypes

    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def _keys(mapping: Any) -> list[Any]:
    """Keys of a namespace; that of a class body may be any object (`__prepare__`, exec)."""
    try:
        return list(dict.keys(mapping)) if issubclass(type(mapping), dict) else list(mapping.keys())
    except Exception:  # boundary: a mapping of the program
        return []


def _holds(mapping: Any, name: str) -> bool:
    return _value(mapping, name) is not MISSING


def _value(mapping: Any, name: str) -> Any:
    if issubclass(type(mapping), dict):
        return dict.get(mapping, name, MISSING)
    try:
        return mapping[name]
    except Exception:  # boundary: a mapping of the program, or simply not there
        return MISSING
