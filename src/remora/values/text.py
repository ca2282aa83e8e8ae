"""The text of a value: like repr(), with limits, and for any object however broken.

Builtin containers are written by this module, element by element, until the room is used up: calling
`list.__repr__` on a million items would build all of it first. So are instances of subclasses that inherit
the builtin `__repr__`. An object with a `__repr__` of its own has it called, once.

Invariants: nothing but Interrupted comes out of `Texts.text`, and that only if it strikes between two
calls of user code; a container on the path to itself is written `[...]`; `…` marks what was left out.
A `Texts` is used by one thread for one answer.

Longer than most modules because it is one table: each builtin `__repr__` and what is written in its place.
"""

from __future__ import annotations

import _weakref
import sys
from _collections import OrderedDict, defaultdict, deque  # type: ignore[import-not-found]

from remora.engine.jobs import Interrupted
from remora.values.budget import Budget, Clock
from remora.values.static import (
    BUILTIN,
    FUNCTION,
    MAPPING_PROXY,
    MEMBER,
    METHOD,
    MISSING,
    MODULE,
    class_attribute,
    full_type_name,
    instance_dict,
    is_class,
    is_lazy_import,
    items,
    library_of,
    module_name,
    namespace,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

ELLIPSIS = "…"
INTERRUPTED = "; not asked after another __repr__ took too long"
# Marks, brackets and closing quotes may go this far beyond the limit.
SLACK = 80
# Below this no interpreter refuses (sys.set_int_max_str_digits allows no limit under 640 digits).
SAFE_INT_BITS = 2000
# Stdlib types whose repr runs no code of the program; the class is checked to be the module's own.
TRUSTED_MODULES = frozenset(
    ("datetime", "decimal", "_decimal", "fractions", "ipaddress", "pathlib", "pathlib._local", "re", "uuid")
)


class Texts:
    """Writes values for one answer.

    After the clock has run out, or a `__repr__` was interrupted, or with `run_user_code` False, objects
    with code of their own are described from their instance dict instead.
    """

    __slots__ = ("budget", "clock", "hex", "interrupted", "path", "run_user_code")

    def __init__(
        self, budget: Budget, clock: Clock | None = None, *, hex: bool = False, run_user_code: bool = True
    ) -> None:
        self.budget = budget
        self.clock = clock or Clock(budget.seconds)
        self.hex = hex
        self.run_user_code = run_user_code
        self.interrupted = False
        self.path: set[int] = set()

    def text(self, obj: object, chars: int | None = None) -> str:
        """Write one value in some `chars` characters (the budget's if None), SLACK more at most."""
        room = self.budget.text_chars if chars is None else chars
        try:
            written = self._write(obj, self.budget.depth, room)
        except RecursionError:
            written = f"<{address(obj)}; too deeply nested to show>"
        self.path.clear()
        if len(written) > room + SLACK:
            written = written[:room] + ELLIPSIS
        if type(obj) is str and str.__len__(obj) > room:
            written += f" (len {str.__len__(obj)})"
        return printable(written)

    def name(self, key: object) -> str:
        """Write a key as the name of a child."""
        return self.text(key, 200)

    # One object: find out whose __repr__ it has.

    def _write(self, obj: object, depth: int, room: int) -> str:
        cls = type(obj)
        method = class_attribute(cls, "__repr__")
        writer = WRITERS.get(id(method))
        try:
            if writer is not None:
                return writer(self, obj, depth, room)
            special = self._write_generated(obj, cls, method, depth, room)
            if special is not None:
                return special
        except (Interrupted, RecursionError):
            raise
        except Exception as error:  # user code reached through a C function, a container changed meanwhile
            return f"<{address(obj)}; cannot be shown: {type_name(type(error))}>"
        return self._call_repr(obj, cls, depth, room)

    def _write_generated(self, obj: Any, cls: type, method: Any, depth: int, room: int) -> str | None:
        """Write what has a generated or a well-known __repr__ that would not mind the limits."""
        if is_lazy_import(obj):
            return "<lazy import, not loaded yet>"
        if library_of(cls):
            from remora.values import arrays

            return arrays.text(obj, brief=self.budget.text_chars <= 1000, run_user_code=self.run_user_code)
        if type(method) is not FUNCTION:
            return None
        code = method.__code__
        if code.co_qualname == "namedtuple.<locals>.__repr__" and issubclass(cls, tuple):
            fields = class_attribute(cls, "_fields")
            return self._fields(
                obj, type_name(cls), zip(fields, tuple.__iter__(obj), strict=False), depth, room
            )
        fields = class_attribute(cls, "__dataclass_fields__")
        wrapped = method.__dict__.get("__wrapped__")
        if (
            type(fields) is dict
            and type(wrapped) is FUNCTION
            and (wrapped.__code__.co_filename == "<string>" or wrapped.__module__ == "dataclasses")
            and class_attribute(cls, "__getattribute__") is object.__getattribute__
        ):
            return self._dataclass(obj, cls, fields, depth, room)
        if class_attribute(cls, "_member_map_") is not MISSING and method.__module__ == "enum":
            return self._enum(obj, cls, depth, room)
        return None

    def _dataclass(self, obj: Any, cls: type, fields: dict[str, Any], depth: int, room: int) -> str | None:
        own = instance_dict(obj) or {}
        pairs = []
        for name, field in fields.items():
            if getattr(field, "repr", True) is False or getattr(field._field_type, "name", "") != "_FIELD":
                continue
            value = dict.get(own, name, MISSING)
            if value is MISSING:
                slot = class_attribute(cls, name)
                if type(slot) is not MEMBER:
                    return None
                try:
                    value = slot.__get__(obj, cls)
                except AttributeError:
                    return None
            pairs.append((name, value))
        return self._fields(obj, type_name(cls), pairs, depth, room)

    def _enum(self, obj: Any, cls: type, depth: int, room: int) -> str | None:
        own = instance_dict(obj) or {}
        name, value = own.get("_name_"), own.get("_value_", MISSING)
        if type(name) is not str or value is MISSING:
            return None
        return f"<{type_name(cls)}.{name}: {self._write(value, depth - 1, room)}>"

    def _call_repr(self, obj: Any, cls: type, depth: int, room: int) -> str:
        trusted = is_trusted(cls)
        if not trusted and not self.run_user_code:
            return self._summary(obj, cls, depth, room)
        if not trusted and self.clock.is_over():
            return f"<{address(obj)}; the time for this answer is over>"
        try:
            written = repr(obj)
        except Interrupted:
            # The engine's time-out struck in this __repr__: the other values can still be shown.
            self.run_user_code = False
            self.interrupted = True
            return f"<{address(obj)}; its __repr__ took too long>"
        except BaseException as error:  # boundary: the program's code, SystemExit included
            return f"<{address(obj)}; its __repr__ failed: {one_line(error, self)}>"
        if type(written) is not str:  # a subclass of str with methods of its own
            written = str.__str__(written)
        return written if len(written) <= room else written[: max(room, 1)] + ELLIPSIS

    def _summary(self, obj: Any, cls: type, depth: int, room: int) -> str:
        if is_class(obj):
            return self._class(obj, depth, room)
        own = instance_dict(obj)
        if not own or depth <= 1 or id(obj) in self.path:
            return f"<{address(obj)}{INTERRUPTED if self.interrupted else ''}>"
        pairs = ((k, v) for k, v in items(own) if type(k) is str)
        return self._fields(obj, type_name(cls), pairs, depth, room, brackets="<>")

    # Containers.

    def _sequence(
        self,
        obj: object,
        iterator: Iterator[Any],
        ends: str,
        depth: int,
        room: int,
        *,
        one_comma: bool = False,
    ) -> str:
        def parts(room: int) -> Iterator[str]:
            for item in iterator:
                yield self._write(item, depth - 1, room)

        return self._join(obj, parts, ends[0], ends[1], depth=depth, room=room, one_comma=one_comma)

    def _mapping(self, obj: object, pairs: Iterable[tuple[Any, Any]], depth: int, room: int) -> str:
        def parts(room: int) -> Iterator[str]:
            for key, value in pairs:
                name = self._write(key, depth - 1, room)
                yield f"{name}: {self._write(value, depth - 1, max(room - len(name), 8))}"

        return self._join(obj, parts, "{", "}", depth=depth, room=room)

    def _fields(
        self,
        obj: object,
        title: str,
        pairs: Iterable[tuple[str, Any]],
        depth: int,
        room: int,
        *,
        brackets: str = "()",
    ) -> str:
        def parts(room: int) -> Iterator[str]:
            for name, value in pairs:
                yield f"{name}={self._write(value, depth - 1, room)}"

        if brackets == "()":
            return self._join(obj, parts, f"{title}(", ")", depth=depth, room=room)
        return self._join(obj, parts, f"<{title} ", ">", depth=depth, room=room, separator=" ")

    def _join(
        self,
        obj: object,
        parts: Callable[[int], Iterator[str]],
        start: str,
        end: str,
        *,
        depth: int,
        room: int,
        separator: str = ", ",
        one_comma: bool = False,
    ) -> str:
        if id(obj) in self.path:
            return f"{start}...{end}"
        if depth <= 0:
            return f"{start}{ELLIPSIS}{end}"
        # A long first element must not hide the rest: each gets a quarter of the room, at least a word.
        each = room if room == sys.maxsize else max(room // 4, 60)
        written: list[str] = []
        left = room - len(start) - len(end)
        self.path.add(id(obj))
        try:
            for part in parts(each):
                if (written and len(part) > left) or (len(written) % 64 == 63 and self.clock.is_over()):
                    written.append(ELLIPSIS)
                    break
                written.append(part)
                left -= len(part) + len(separator)
        except RuntimeError as error:  # changed size during iteration, by a __repr__ or another thread
            if isinstance(error, RecursionError):
                raise
            written.append(f"{ELLIPSIS} changed while being shown")
        finally:
            self.path.discard(id(obj))
        comma = "," if one_comma and len(written) == 1 else ""
        return f"{start}{separator.join(written)}{comma}{end}"

    def _list(self, obj: Any, depth: int, room: int) -> str:
        return self._sequence(obj, list.__iter__(obj), "[]", depth, room)

    def _tuple(self, obj: Any, depth: int, room: int) -> str:
        return self._sequence(obj, tuple.__iter__(obj), "()", depth, room, one_comma=True)

    def _set(self, obj: Any, depth: int, room: int) -> str:
        if not set.__len__(obj):
            return f"{short_name(obj)}()"
        inside = self._sequence(obj, set.__iter__(obj), "{}", depth, room)
        return inside if type(obj) is set else f"{short_name(obj)}({inside})"

    def _frozenset(self, obj: Any, depth: int, room: int) -> str:
        if not frozenset.__len__(obj):
            return f"{short_name(obj)}()"
        return f"{short_name(obj)}({self._sequence(obj, frozenset.__iter__(obj), '{}', depth, room)})"

    def _deque(self, obj: Any, depth: int, room: int) -> str:
        inside = self._sequence(obj, deque.__iter__(obj), "[]", depth, room)
        limit = deque.maxlen.__get__(obj)
        return f"{short_name(obj)}({inside}{'' if limit is None else f', maxlen={limit}'})"

    def _dict(self, obj: Any, depth: int, room: int) -> str:
        return self._mapping(obj, dict.items(obj), depth, room)

    def _named_dict(self, obj: Any, depth: int, room: int) -> str:
        pairs = OrderedDict.items(obj) if issubclass(type(obj), OrderedDict) else dict.items(obj)
        inside = self._mapping(obj, pairs, depth, room) if dict.__len__(obj) else "{}"
        factory = ""
        if issubclass(type(obj), defaultdict):
            factory = self._write(defaultdict.default_factory.__get__(obj), depth - 1, 60) + ", "
        return f"{short_name(obj)}({factory}{inside})"

    def _mapping_proxy(self, obj: Any, depth: int, room: int) -> str:
        inner = proxied(obj)
        return (
            f"mappingproxy({self._write(inner, depth, room)})" if inner is not None else f"<{address(obj)}>"
        )

    def _view(self, obj: Any, depth: int, room: int) -> str:
        inside = self._sequence(obj, iter(obj), "[]", depth, room)
        return f"{type_name(type(obj))}({inside})"

    # Leaves.

    def _str(self, obj: Any, depth: int, room: int) -> str:
        if str.__len__(obj) <= room:
            return str.__repr__(obj)
        shown = str.__repr__(str.__getitem__(obj, slice(0, max(room, 1))))
        return shown[:-1][: room + 1] + ELLIPSIS + shown[-1]

    def _bytes(self, obj: Any, depth: int, room: int) -> str:
        if bytes.__len__(obj) <= room:
            return bytes.__repr__(obj)
        shown = repr(bytes.__getitem__(obj, slice(0, max(room, 1))))
        return shown[:-1][: room + 2] + ELLIPSIS + shown[-1]

    def _bytearray(self, obj: Any, depth: int, room: int) -> str:
        shown = bytes(memoryview(obj)[: room if room != sys.maxsize else None])
        return f"{short_name(obj)}({self._bytes(shown, depth, room)})" + (
            ELLIPSIS if bytearray.__len__(obj) > room else ""
        )

    def _int(self, obj: Any, depth: int, room: int) -> str:
        bits = int.bit_length(obj)
        if self.hex and bits <= max(room, 8) * 4:
            return int.__format__(obj, "#x")
        if bits <= SAFE_INT_BITS:
            return int.__repr__(obj)
        if room != sys.maxsize and bits > room * 4:
            shown = int.__rshift__(obj if obj >= 0 else int.__neg__(obj), bits - max(room - 30, 8) * 4)
            return f"{'-' if obj < 0 else ''}0x{shown:x}{ELLIPSIS} ({bits} bits)"
        try:
            return int.__repr__(obj)
        except ValueError:  # sys.get_int_max_str_digits(): conversion is quadratic, hexadecimal is not
            return int.__format__(obj, "#x")

    def _exception(self, obj: Any, depth: int, room: int) -> str:
        args = BaseException.args.__get__(obj)  # type: ignore[attr-defined]
        inside = self._tuple(args, depth, room)
        if len(args) == 1 and inside.endswith(",)"):
            inside = inside[:-2] + ")"
        return short_name(obj) + inside

    def _class(self, obj: Any, depth: int, room: int) -> str:
        module = module_name(obj)
        return f"<class '{'' if module in ('', 'builtins') else module + '.'}{type_name(obj)}'>"

    def _module(self, obj: Any, depth: int, room: int) -> str:
        own = instance_dict(obj) or {}
        name, file = own.get("__name__"), own.get("__file__")
        origin = f" from {file!r}" if type(file) is str else ""
        return f"<module {name!r}{origin}>" if type(name) is str else "<module>"

    def _method(self, obj: Any, depth: int, room: int) -> str:
        function = obj.__func__
        name = function.__qualname__ if type(function) is FUNCTION else type_name(type(function))
        return f"<bound method {name} of {self._write(obj.__self__, depth - 1, max(room - len(name), 8))}>"

    def _builtin(self, obj: Any, depth: int, room: int) -> str:
        owner = obj.__self__
        if owner is None or type(owner) is MODULE:
            return f"<built-in function {obj.__name__}>"
        return f"<built-in method {obj.__name__} of {type_name(type(owner))} object at {id(owner):#x}>"

    def _plain(self, obj: Any, depth: int, room: int) -> str:
        return repr(obj)

    def _object(self, obj: Any, depth: int, room: int) -> str:
        return f"<{address(obj, full=True)}>"

    def _weak_reference(self, obj: Any, depth: int, room: int) -> str:
        target = WEAK_REFERENCE.__call__(obj)
        to = "dead" if target is None else f"to {address(target)}"
        return f"<weakref at {id(obj):#x}; {to}>"


_name = type.__dict__["__name__"].__get__
WEAK_REFERENCE: Any = _weakref.ref


def _generator() -> Iterator[None]:
    yield


async def _coroutine() -> None: ...


def _plain_types() -> list[type]:
    """Types whose C repr reads nothing but their own fields."""
    coroutine = _coroutine()
    coroutine.close()
    frame = sys._getframe()
    return [
        bool,
        float,
        complex,
        type(None),
        type(...),
        type(NotImplemented),
        range,
        FUNCTION,
        memoryview,
        type(_generator()),
        type(coroutine),
        type(frame),
        type(frame.f_code),
        type(list.append),
        type(list.__repr__),
        type([].__repr__),
        type(Texts.__dict__["budget"]),
        type(type.__dict__["__dict__"]),
    ]


def _writers() -> dict[int, Callable[[Texts, Any, int, int], str]]:
    """Whose `__repr__` is whose, by the identity of the function (hashing a type may run its metaclass)."""
    table: dict[int, Callable[[Texts, Any, int, int], str]] = {}

    def put(cls: Any, writer: Callable[[Texts, Any, int, int], str]) -> None:
        table[id(namespace(cls)["__repr__"])] = writer

    put(object, Texts._object)
    put(list, Texts._list)
    put(tuple, Texts._tuple)
    put(set, Texts._set)
    put(frozenset, Texts._frozenset)
    put(deque, Texts._deque)
    put(dict, Texts._dict)
    put(OrderedDict, Texts._named_dict)
    put(defaultdict, Texts._named_dict)
    put(MAPPING_PROXY, Texts._mapping_proxy)
    empty: dict[str, int] = {}
    for view in (type(empty.keys()), type(empty.values()), type(empty.items())):
        put(view, Texts._view)
    put(str, Texts._str)
    put(bytes, Texts._bytes)
    put(bytearray, Texts._bytearray)
    put(int, Texts._int)
    put(BaseException, Texts._exception)
    put(type, Texts._class)
    put(MODULE, Texts._module)
    put(METHOD, Texts._method)
    put(BUILTIN, Texts._builtin)
    put(WEAK_REFERENCE, Texts._weak_reference)
    for cls in _plain_types():
        own = namespace(cls).get("__repr__")
        if own is not None:
            table[id(own)] = Texts._plain
    return table


WRITERS = _writers()


def short_name(obj: object) -> str:
    """The `__name__` of the object's class, which builtin containers put before their items."""
    return _name(type(obj))  # type: ignore[no-any-return]


def is_trusted(cls: type) -> bool:
    """Whether repr() of exactly this type runs only code of the standard library."""
    module = module_name(cls)
    if module not in TRUSTED_MODULES:
        return False
    for loaded in (module, module.partition(".")[0], module.lstrip("_")):
        holder = sys.modules.get(loaded)
        if holder is not None and (instance_dict(holder) or {}).get(type_name(cls)) is cls:
            return True
    return False


def proxied(proxy: object) -> object | None:
    """The mapping behind a mappingproxy, without asking the mapping anything."""
    import gc

    inner = gc.get_referents(proxy)
    return inner[0] if inner else None


def address(obj: object, *, full: bool = False) -> str:
    cls = type(obj)
    name = full_type_name(cls) if full and module_name(cls) != "__main__" else type_name(cls)
    if full and module_name(cls) == "__main__":
        name = f"__main__.{name}"
    return f"{name} object at {id(obj):#x}"


def one_line(error: BaseException, texts: Texts | None = None) -> str:
    """`Type: message` of an exception whose own `__str__` may be broken too; always one line."""
    name = full_type_name(type(error))
    message = exception_message(error)
    first = message.split("\n", 1)[0]
    if len(first) > 300:
        first = first[:300] + ELLIPSIS
    return printable(f"{name}: {first}" if first else name)


def exception_message(error: BaseException) -> str:
    try:
        message = str(error)
    except Interrupted:
        raise
    except BaseException as inner:  # boundary: the program's __str__
        return f"<its __str__ failed: {type_name(type(inner))}>"
    return printable(str.__str__(message))


def printable(text: str) -> str:
    """Escape lone surrogates, which JSON readers refuse."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
