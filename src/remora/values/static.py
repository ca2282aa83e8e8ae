"""Looking at an object without running a line of its code.

`obj.attr`, `isinstance`, `==`, `hash`, `in` and even `cls.__mro__` may call code of the program: a metaclass,
a `__class__` property, a `__getattr__`. Everything here goes through C descriptors taken from the builtin
types once, and compares by identity. `type(obj)` and `issubclass(type(obj), builtin)` are safe.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import MappingProxyType
    from typing import Any


class Missing:
    """The one object that means: there is nothing here (None is a value)."""

    def __repr__(self) -> str:
        return "<missing>"


MISSING = Missing()

_mro = type.__dict__["__mro__"].__get__
_namespace = type.__dict__["__dict__"].__get__
_qualname = type.__dict__["__qualname__"].__get__
_module = type.__dict__["__module__"].__get__
_flags = type.__dict__["__flags__"].__get__


class _Slotted:
    __slots__ = ("field",)


def _closing(value: object) -> Any:
    return lambda: value


MEMBER = type(_Slotted.__dict__["field"])  # member_descriptor: __slots__, and fields of C structs
GETSET = type(type.__dict__["__dict__"])  # getset_descriptor: a C function behind an attribute
METHOD_DESCRIPTOR = type(list.append)
WRAPPER_DESCRIPTOR = type(list.__repr__)
CLASSMETHOD_DESCRIPTOR = type(dict.__dict__["fromkeys"])
FUNCTION: Any = type(lambda: None)
BUILTIN = type(len)
MODULE = type(sys)
CODE = type((lambda: None).__code__)
METHOD: Any = type(MISSING.__repr__)
MAPPING_PROXY = type(type.__dict__)
CELL: Any = type(_closing(0).__closure__[0])


def mro(cls: type) -> tuple[type, ...]:
    return _mro(cls)  # type: ignore[no-any-return]


def namespace(cls: type) -> MappingProxyType[str, Any]:
    """The class's own `__dict__`, whatever its metaclass pretends."""
    return _namespace(cls)  # type: ignore[no-any-return]


def type_name(cls: type) -> str:
    return _qualname(cls)  # type: ignore[no-any-return]


def module_name(cls: type) -> str:
    try:
        module = _module(cls)
    except AttributeError:  # a class made with type() in a frame without __name__
        return ""
    return module if type(module) is str else ""


def full_type_name(cls: type) -> str:
    """As tracebacks say it: module and qualified name, builtins without module."""
    module = module_name(cls)
    return type_name(cls) if module in ("", "builtins", "__main__") else f"{module}.{type_name(cls)}"


class Types:
    """A set of types asked by identity: comparing or hashing a type may run its metaclass."""

    __slots__ = ("_ids", "_types")

    def __init__(self, *types: type) -> None:
        self._types = types  # kept, so that no other object gets one of the ids
        self._ids = frozenset(map(id, types))

    def __contains__(self, cls: object) -> bool:
        return id(cls) in self._ids


def is_heap_type(cls: type) -> bool:
    return bool(_flags(cls) & (1 << 9))  # Py_TPFLAGS_HEAPTYPE: made by a class statement, or by newer C code


def is_class(obj: object) -> bool:
    return issubclass(type(obj), type)


def class_attribute(cls: type, name: str) -> Any:
    """What the class's MRO holds under this name, unbound; MISSING if nothing."""
    for owner in mro(cls):
        value = namespace(owner).get(name, MISSING)
        if value is not MISSING:
            return value
    return MISSING


def instance_dict(obj: object) -> dict[Any, Any] | None:
    """The object's own `__dict__`, past any `__dict__` its class made up; None if it has none."""
    cls = type(obj)
    for owner in mro(cls):
        descriptor = namespace(owner).get("__dict__", MISSING)
        if type(descriptor) is GETSET or type(descriptor) is MEMBER:
            try:
                found = descriptor.__get__(obj, cls)
            except Exception:  # the C getter of an extension type
                return None
            return found if issubclass(type(found), dict) else None
    return None


def items(mapping: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Iterate a dict or an instance of a subclass as a dict."""
    return iter(dict.items(mapping))


def has_descriptor_get(value: object) -> bool:
    return class_attribute(type(value), "__get__") is not MISSING


def static_attribute(obj: object, name: str) -> Any:
    """Find an attribute as `obj.name` would if nothing were overridden; MISSING if that needs code.

    Data in the instance dict, slots, plain data in the class. Properties and other descriptors count as
    missing: reading them would run code.
    """
    cls = type(obj)
    if is_class(obj):
        found = class_attribute(obj, name)  # type: ignore[arg-type]
        if found is not MISSING:
            return _plain(found)
    in_class = class_attribute(cls, name)
    if (
        type(in_class) is MEMBER
        or type_name(type(in_class)) == "_tuplegetter"
        or (type(in_class) is GETSET and not is_heap_type(in_class.__objclass__))
    ):
        try:
            return in_class.__get__(obj, cls)
        except Exception:  # an empty slot raises AttributeError; extension types what they like
            return MISSING
    own = instance_dict(obj)
    if own is not None and not is_class(obj):
        value = dict.get(own, name, MISSING) if _only_plain_keys(own) else MISSING
        if value is not MISSING:
            hidden = in_class is not MISSING and class_attribute(type(in_class), "__set__") is not MISSING
            return MISSING if hidden else value
    if in_class is MISSING:
        return MISSING
    if type(in_class) is FUNCTION:
        return METHOD(in_class, obj)
    return _plain(in_class)


def _plain(found: Any) -> Any:
    if type(found) is staticmethod:
        return found.__func__
    if type(found) is FUNCTION or not has_descriptor_get(found):
        return found
    return MISSING


def _only_plain_keys(mapping: dict[Any, Any]) -> bool:
    """Whether a look-up of a str cannot meet a key with an `__eq__` of its own."""
    return all(type(key) is str for key in dict.keys(mapping))


def exception_field(error: BaseException, name: str) -> Any:
    """`args`, `__cause__`, `__traceback__` … as CPython holds them, past any override in the class."""
    return namespace(BaseException)[name].__get__(error)


def group_members(error: BaseException) -> tuple[BaseException, ...]:
    if not issubclass(type(error), BaseExceptionGroup):
        return ()
    return namespace(BaseExceptionGroup)["exceptions"].__get__(error)  # type: ignore[no-any-return]


def library_of(cls: type) -> str:
    """numpy or pandas for a type that says it is theirs, else nothing."""
    package = module_name(cls).partition(".")[0]
    return package if package in ("numpy", "pandas") else ""


def is_lazy_import(obj: object) -> bool:
    """Whether this is 3.15's placeholder of a module that `lazy import` has not loaded yet."""
    return type_name(type(obj)) == "lazy_import" and module_name(type(obj)) == "builtins"
