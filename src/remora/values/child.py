"""One child of something on display, how to name it in an expression, and how to set it."""

from __future__ import annotations

from remora.values.static import MISSING, WRAPPER_DESCRIPTOR, class_attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

MAX_KEY_CHARS = 2000  # of a dict key in an expression; longer ones are data, not names


class Child:
    """A name and a value, or a getter that has not been run.

    `setter` binds a new value in the program; where it is None, `refusal` says why there is none.
    """

    __slots__ = (
        "attributes",
        "expression",
        "getter",
        "kind",
        "name",
        "refusal",
        "setter",
        "type_name",
        "value",
        "visibility",
    )

    def __init__(
        self,
        name: str,
        value: object = MISSING,
        *,
        expression: str | None = None,
        setter: Callable[[object], None] | None = None,
        refusal: str = "it cannot be set",
        getter: Callable[[], object] | None = None,
        type_name: str = "",
        kind: str = "data",
        attributes: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.value = value
        self.expression = expression
        self.setter = setter
        self.refusal = refusal
        self.getter = getter
        self.type_name = type_name
        self.kind = kind
        self.attributes = attributes if setter is not None or kind == "virtual" else (*attributes, "readOnly")
        self.visibility = "internal" if is_special(name) else "private" if name.startswith("_") else "public"


class Group:
    """The value of a child that only gathers other children, such as "functions" of a module."""

    __slots__ = ("named",)

    def __init__(self, named: Named) -> None:
        self.named = named


class Section:
    """Some named children that are made alike: their keys, and how to make one."""

    __slots__ = ("keys", "make")

    def __init__(self, keys: Sequence[Any], make: Callable[[Any], Child]) -> None:
        self.keys = keys
        self.make = make


class Named:
    """The named children of one object, made only when asked for."""

    __slots__ = ("sections",)

    def __init__(self, *sections: Section) -> None:
        self.sections = [section for section in sections if section.keys]

    def size(self) -> int:
        return sum(len(section.keys) for section in self.sections)

    def page(self, start: int, stop: int) -> Iterator[Child]:
        for section in self.sections:
            count = len(section.keys)
            for key in section.keys[max(start, 0) : max(stop, 0)]:
                yield section.make(key)
            start -= count
            stop -= count

    def find(self, name: str) -> Child | None:
        for section in self.sections:
            for key in section.keys:
                if type(key) is str and key != name:
                    continue
                child = section.make(key)
                if child.name == name:
                    return child
        for section in self.sections:  # a group's members may be set through what holds the group
            for key in section.keys:
                if type(key) is Child and type(key.value) is Group:
                    found = key.value.named.find(name)
                    if found is not None:
                        return found
        return None


def ready(children: Sequence[Child]) -> Section:
    """A section of children that are made already."""
    return Section(children, lambda child: child)


def is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def attribute(parent: str | None, name: object, cls: type) -> str | None:
    """The expression that reads attribute `name` of what `parent` evaluates to, an instance of `cls`."""
    if parent is None or type(name) is not str:
        return None
    if type(class_attribute(cls, "__getattribute__")) is not WRAPPER_DESCRIPTOR:
        # Written in Python: it may answer something else than what is shown.
        return f"object.__getattribute__({parent}, {name!r})"
    if not name.isidentifier() or is_keyword(name):
        return f"getattr({parent}, {name!r})"
    if name.startswith("__") and not name.endswith("__"):
        return f"getattr({parent}, {name!r})"  # inside a class `x.__name` would mean `x._Class__name`
    return f"{operand(parent)}.{name}"


def item(parent: str | None, key: str | None) -> str | None:
    """The expression `parent[key]`."""
    return None if parent is None or key is None else f"{operand(parent)}[{key}]"


def operand(expression: str) -> str:
    """The expression fit for a dot or a bracket behind it."""
    return f"({expression})" if expression.isdecimal() else expression


def key_source(key: object, depth: int = 3) -> str | None:
    """The literal that makes an equal key; None where there is no literal or it would be too long."""
    kind = type(key)
    if kind is bool or key is None or key is ...:
        return repr(key)
    if kind is int:
        return int.__repr__(key) if int.bit_length(key) < 2000 else None  # type: ignore[arg-type]
    if kind is float or kind is complex:
        shown = repr(key)
        return None if "n" in shown else shown  # nan, inf
    if kind is str or kind is bytes:
        return repr(key) if len(key) <= MAX_KEY_CHARS else None  # type: ignore[arg-type]
    if kind is tuple and depth:
        parts = [key_source(part, depth - 1) for part in key]  # type: ignore[attr-defined]
        if any(part is None for part in parts):
            return None
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"  # type: ignore[arg-type]
    return None


# keyword.kwlist without loading `keyword`; soft keywords are fine as attributes.
KEYWORDS = frozenset(
    """False None True and as assert async await break class continue def del elif else except finally for
    from global if import in is lambda nonlocal not or pass raise return try while with yield""".split()  # noqa: SIM905
)


def is_keyword(name: str) -> bool:
    return name in KEYWORDS
