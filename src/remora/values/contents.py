"""The indexed children of containers: items, entries, members, read page by page.

Nothing is copied but the page. What can only be iterated (dicts, sets) keeps a cursor, so that paging on
is cheap; paging back starts anew. A container that changes while it is looked at gives what it has now.
Sizes are O(1), and all reading goes through the builtin types' own methods, so that subclasses with broken
`__len__` or `__iter__` show what is really in them.
"""

from __future__ import annotations

import sys
from _collections import OrderedDict, deque  # type: ignore[import-not-found]
from itertools import islice

from remora.values.budget import LIST
from remora.values.child import Child, item, key_source
from remora.values.static import MAPPING_PROXY, MISSING, Types, class_attribute, library_of, mro, type_name
from remora.values.text import Texts, proxied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class Contents:
    """The items of one container on display."""

    __slots__ = ("expression", "obj")

    def __init__(self, obj: Any, expression: str | None) -> None:
        self.obj = obj
        self.expression = expression

    def size(self) -> int:
        raise NotImplementedError

    def page(self, start: int, stop: int, texts: Texts) -> Iterator[Child]:
        """The children of one page; `texts` writes names that are keys, within the budget of the answer."""
        raise NotImplementedError

    def find(self, name: str) -> Child | None:
        """The child of this name; by default names are positions."""
        if not name.isdecimal() or len(name) > 18:
            return None
        index = int(name)
        return next(self.page(index, index + 1, Texts(LIST)), None) if index < self.size() else None


class Items(Contents):
    """Sequences read with slices of their own type: list, tuple, range, bytes, bytearray, array."""

    __slots__ = ("base", "refusal")

    def __init__(self, obj: Any, expression: str | None, base: Any, refusal: str) -> None:
        super().__init__(obj, expression)
        self.base = base
        self.refusal = refusal

    def size(self) -> int:
        try:
            return self.base.__len__(self.obj)  # type: ignore[no-any-return]
        except OverflowError:  # a range longer than sys.maxsize
            return sys.maxsize

    def page(self, start: int, stop: int, texts: Texts) -> Iterator[Child]:
        # One slice, taken at once: what happens to the container afterwards does not matter.
        for index, value in enumerate(self.base.__getitem__(self.obj, slice(start, stop)), start):
            yield self._child(index, value)

    def _child(self, index: int, value: object) -> Child:
        setter = None if self.refusal else _item_setter(self.obj, index)
        return Child(
            str(index), value, expression=self._expression(index), setter=setter, refusal=self.refusal
        )

    def _expression(self, index: int) -> str | None:
        own = class_attribute(type(self.obj), "__getitem__")
        if own is class_attribute(self.base, "__getitem__"):
            return item(self.expression, str(index))
        if self.expression is None:
            return None
        return f"{self.base.__name__}.__getitem__({self.expression}, {index})"


class Deque(Items):
    """A deque has no slices; reading one item by position skips whole blocks."""

    __slots__ = ()

    def page(self, start: int, stop: int, texts: Texts) -> Iterator[Child]:
        size = deque.__len__(self.obj)
        stop = min(stop, size)
        from_end = size - start < start
        iterator = reversed(self.obj) if from_end and type(self.obj) is deque else deque.__iter__(self.obj)
        try:
            if from_end and type(self.obj) is deque:
                values = list(islice(iterator, size - stop, size - start))[::-1]
            else:
                values = list(islice(iterator, start, stop))
        except RuntimeError:  # mutated meanwhile
            values = []
        for index, value in enumerate(values, start):
            yield self._child(index, value)


class Stream(Contents):
    """What can only be iterated: sets, dict views. Keeps an iterator and where it stands."""

    __slots__ = ("iterate", "iterator", "length", "position")

    def __init__(
        self,
        obj: Any,
        expression: str | None,
        length: Callable[[Any], int],
        iterate: Callable[[Any], Iterator[Any]],
    ) -> None:
        super().__init__(obj, expression)
        self.length = length
        self.iterate = iterate
        self.iterator: Iterator[Any] | None = None
        self.position = 0

    def size(self) -> int:
        return self.length(self.obj)

    def read(self, start: int, stop: int) -> list[Any]:
        for _ in range(2):
            if self.iterator is None or self.position > start:
                self.iterator = self.iterate(self.obj)
                self.position = 0
            try:
                found = list(islice(self.iterator, start - self.position, stop - self.position))
            except RuntimeError:  # changed size since the last page: start anew
                self.iterator = None
                continue
            self.position = stop
            return found
        return []

    def page(self, start: int, stop: int, texts: Texts) -> Iterator[Child]:
        for index, value in enumerate(self.read(start, stop), start):
            yield Child(
                str(index),
                value,
                refusal=f"members of a {type_name(type(self.obj))} have no place of their own",
            )


class Entries(Stream):
    """Entries of a dict, named by the text of their key.

    Different keys may have the same text (`1` and an object that prints as `1`, two long strings with the
    same beginning): the second one shown gets ` #2` behind it, and keeps it as long as the handle lives.
    """

    __slots__ = ("frozen", "names", "taken")

    def __init__(self, obj: Any, expression: str | None, *, frozen: str = "") -> None:
        super().__init__(obj, expression, dict.__len__, _dict_items)
        self.frozen = frozen
        self.taken: dict[str, list[object]] = {}  # name -> keys that print so, in the order shown

    def page(self, start: int, stop: int, texts: Texts) -> Iterator[Child]:
        for key, value in self.read(start, stop):
            yield self._child(key, value, texts)

    def find(self, name: str) -> Child | None:
        texts = Texts(LIST)
        for key, value in _dict_items(self.obj):
            child = self._child(key, value, texts)
            if child.name == name:
                return child
        return None

    def _child(self, key: object, value: object, texts: Texts) -> Child:
        name = texts.name(key)
        same = self.taken.setdefault(name, [])
        number = next((n for n, known in enumerate(same, 1) if is_same(known, key)), 0)
        if not number:
            same.append(key)
            number = len(same)
        if number > 1:
            name = f"{name} #{number}"
        return Child(
            name,
            value,
            expression=self._expression(key),
            setter=None if self.frozen else _item_setter(self.obj, key),
            refusal=self.frozen,
        )

    def _expression(self, key: object) -> str | None:
        source = key_source(key)
        own = class_attribute(type(self.obj), "__getitem__")
        if own is dict.__getitem__ or own is dict.__dict__["__getitem__"] or self.frozen:
            return item(self.expression, source)
        if self.expression is None or source is None:
            return None
        return f"dict.__getitem__({self.expression}, {source})"


class Rows(Contents):
    """What a library reads by position: rows of arrays and tables."""

    __slots__ = ("count", "expressions", "getter", "labels", "settable")

    def __init__(
        self,
        obj: Any,
        expression: str | None,
        count: int,
        getter: Callable[[int], object],
        *,
        template: str = "{0}[{1}]",
        label: Callable[[int], str] = str,
        setter: Callable[[int, object], None] | None = None,
    ) -> None:
        super().__init__(obj, expression)
        self.count = count
        self.getter = getter
        self.expressions = template
        self.labels = label
        self.settable = setter

    def size(self) -> int:
        return self.count

    def page(self, start: int, stop: int, texts: Texts) -> Iterator[Child]:
        for index in range(start, min(stop, self.count)):
            setter = self.settable
            yield Child(
                self.labels(index),
                self.getter(index),
                expression=self.expressions.format(self.expression, index) if self.expression else None,
                setter=None if setter is None else (lambda value, i=index, put=setter: put(i, value)),  # type: ignore[misc]
            )

    def find(self, name: str) -> Child | None:
        found = super().find(name)
        if found is not None and found.name == name:
            return found
        for index in range(min(self.count, 10_000)):
            if self.labels(index) == name:
                return next(self.page(index, index + 1, Texts(LIST)))
        return None


PLAIN = Types(str, int, bytes, float)


def is_same(one: object, other: object) -> bool:
    """Whether two keys are one, without asking them."""
    kind = type(one)
    return one is other or (kind is type(other) and kind in PLAIN and one == other)


def _item_setter(obj: Any, key: object) -> Callable[[object], None]:
    return lambda value: obj.__setitem__(key, value)


def _dict_items(obj: Any) -> Iterator[Any]:
    """Items in the order the program sees: an OrderedDict's may differ from its dict's."""
    return iter(OrderedDict.items(obj) if issubclass(type(obj), OrderedDict) else dict.items(obj))


def _fixed(base: type) -> Callable[[Any, str | None], Contents]:
    return lambda obj, expression: Items(obj, expression, base, f"a {type_name(type(obj))} cannot be changed")


def _free(base: type) -> Callable[[Any, str | None], Contents]:
    return lambda obj, expression: Items(obj, expression, base, "")


def _proxy(obj: Any, expression: str | None) -> Contents | None:
    inner = proxied(obj)
    if inner is None or not issubclass(type(inner), dict):
        return None
    return Entries(inner, expression, frozen="a mappingproxy is read-only")


def _memory(obj: Any, expression: str | None) -> Contents | None:
    try:
        if obj.ndim != 1:
            return None
        refusal = "the memory is read-only" if obj.readonly else ""
    except ValueError:  # released
        return None
    return Items(obj, expression, memoryview, refusal)


def _view(obj: Any, expression: str | None) -> Contents:
    return Stream(obj, expression, len, iter)


BY_TYPE: dict[int, Callable[[Any, str | None], Contents | None]] = {
    id(list): _free(list),
    id(tuple): _fixed(tuple),
    id(range): _fixed(range),
    id(bytes): _fixed(bytes),
    id(bytearray): _free(bytearray),
    id(deque): lambda obj, expression: Deque(obj, expression, deque, ""),
    id(dict): Entries,
    id(set): lambda obj, expression: Stream(obj, expression, set.__len__, set.__iter__),
    id(frozenset): lambda obj, expression: Stream(obj, expression, frozenset.__len__, frozenset.__iter__),
    id(MAPPING_PROXY): _proxy,
    id(memoryview): _memory,
    id(type({}.keys())): _view,
    id(type({}.values())): _view,
    id(type({}.items())): _view,
}
# A class is a mapping of nothing; structures that are tuples but show their fields by name.
NO_CONTENTS = frozenset(map(id, (object, type, str, int, float, type(None))))


def contents_of(obj: Any, expression: str | None) -> Contents | None:
    """The indexed children of any object; None for what is not a container."""
    cls = type(obj)
    if id(cls) in NO_CONTENTS:
        return None
    for base in mro(cls):
        make = BY_TYPE.get(id(base))
        if make is not None:
            if base is tuple and class_attribute(cls, "_fields") is not MISSING:
                return None  # a namedtuple: its fields are its items
            return make(obj, expression)
    if library_of(cls):
        return _rows(obj, expression)
    array = sys.modules.get("array")
    if array is not None and issubclass(cls, array.array):
        return Items(obj, expression, array.array, "")
    ctypes = sys.modules.get("ctypes")
    if ctypes is not None and issubclass(cls, ctypes.Array):
        return Rows(obj, expression, len(obj), obj.__getitem__, setter=obj.__setitem__)
    return None


def _rows(obj: Any, expression: str | None) -> Contents | None:
    from remora.values import arrays

    kind = arrays.kind_of(type(obj))
    if kind == "array":
        if not obj.ndim:
            return None
        return Rows(obj, expression, len(obj), obj.__getitem__, setter=obj.__setitem__)
    if kind in ("frame", "series"):
        label = Texts(LIST).name

        def put(index: int, value: object) -> None:
            obj.iloc[index] = value

        return Rows(
            obj,
            expression,
            len(obj),
            lambda index: obj.iloc[index],
            template="{0}.iloc[{1}]",
            label=lambda index: label(arrays.plain(obj.index[index])),
            setter=put,
        )
    if kind == "index":
        return Rows(obj, expression, len(obj), obj.__getitem__)
    return None
