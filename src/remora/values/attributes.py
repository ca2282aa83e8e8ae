"""The named children of an object: what hangs on it, found without running its code.

Read at once: the instance dict, slots, fields of C structs, and the C getters of the standard library.
Listed lazy, run only when opened: properties and every other descriptor. Never asked: `__getattr__`,
`__dir__`. Constants of the class come after the instance's own; methods are shown on the class itself.
"""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found]

from remora.values import running
from remora.values.budget import LIST
from remora.values.child import Child, Group, Named, Section, attribute, is_special, ready
from remora.values.static import (
    BUILTIN,
    CELL,
    CLASSMETHOD_DESCRIPTOR,
    FUNCTION,
    GETSET,
    MAPPING_PROXY,
    MEMBER,
    METHOD,
    METHOD_DESCRIPTOR,
    MISSING,
    MODULE,
    WRAPPER_DESCRIPTOR,
    class_attribute,
    has_descriptor_get,
    instance_dict,
    is_class,
    is_lazy_import,
    library_of,
    module_name,
    mro,
    namespace,
    type_name,
)
from remora.values.text import WEAK_REFERENCE, Texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Builtins whose own attributes say nothing that their text does not.
SILENT_TYPES: tuple[type, ...] = (
    *(object, int, float, bool, str, bytes, bytearray, list, tuple, dict, set, frozenset, deque),
    *(type(None), type(...), type(NotImplemented), MAPPING_PROXY, WEAK_REFERENCE),
    *(type({}.keys()), type({}.values()), type({}.items()), type(iter([])), type(iter(())), type(iter({}))),
)
SILENT = frozenset(map(id, SILENT_TYPES))
# Types that cannot have children of any kind: the common case of a page is settled by one look-up.
LEAVES = frozenset(map(id, (int, float, bool, str, type(None), type(...), type(NotImplemented))))
METHOD_TYPES = (
    *(FUNCTION, classmethod, staticmethod, BUILTIN, METHOD_DESCRIPTOR, WRAPPER_DESCRIPTOR),
    *(CLASSMETHOD_DESCRIPTOR, type([].__repr__)),
)
METHODS = frozenset(map(id, METHOD_TYPES))
# C getters of these modules read a field and do nothing else.
PROMPT_GETTERS = frozenset(
    """builtins datetime decimal _decimal fractions array re functools types _asyncio zoneinfo _thread
    itertools collections _queue io _io posix os time""".split()  # noqa: SIM905
)
# Special attributes worth showing, by the type that defines them.
SPECIAL: dict[int, tuple[str, ...]] = {
    id(FUNCTION): ("__defaults__", "__kwdefaults__", "__code__"),
    id(METHOD): ("__func__", "__self__"),
    id(BUILTIN): ("__self__",),
    id(classmethod): ("__func__",),
    id(staticmethod): ("__func__",),
    id(BaseException): ("__cause__", "__context__", "__suppress_context__", "__traceback__"),
}
# Reading it warns.
DEPRECATED = frozenset(("co_lnotab",))
# Bases whose class attributes are machinery.
MACHINERY = frozenset(("typing", "abc", "enum", "_collections_abc", "typing_extensions"))


class Layout:
    """What instances of one class have, as far as the class alone tells."""

    __slots__ = ("constants", "descriptors", "fields")

    def __init__(self, cls: type) -> None:
        self.fields: dict[str, Any] = {}  # name -> descriptor that is safe to read
        self.descriptors: dict[str, Any] = {}  # name -> descriptor that is not
        self.constants: dict[str, Any] = {}
        seen: set[str] = set()
        no_constants = (
            class_attribute(cls, "_member_map_") is not MISSING
            or class_attribute(cls, "_fields") is not MISSING
        )
        for owner in mro(cls):
            if id(owner) in SILENT:
                continue
            module = module_name(owner)
            own = namespace(owner)
            for name in SPECIAL.get(id(owner), ()):
                if name in own and name not in seen:
                    self.fields[name] = own[name]
            for name, value in list(own.items()):
                if type(name) is str and name not in seen and not is_special(name) and name not in DEPRECATED:
                    seen.add(name)
                    self._sort(name, value, module, no_constants)

    def _sort(self, name: str, value: Any, module: str, no_constants: bool) -> None:
        kind = type(value)
        if kind is MEMBER or type_name(kind) in ("_tuplegetter", "CField"):
            self.fields[name] = value
        elif kind is GETSET:
            (self.fields if module in PROMPT_GETTERS else self.descriptors)[name] = value
        elif id(kind) in METHODS:
            return
        elif has_descriptor_get(value) and not is_class(value):
            self.descriptors[name] = value
        elif not no_constants and module not in MACHINERY and name != "_abc_impl":
            self.constants[name] = value


Layouts = dict[int, tuple[type, Layout]]


def layout_of(cls: type, layouts: Layouts) -> Layout:
    """The class's layout, kept for the length of one answer (classes change between answers)."""
    known = layouts.get(id(cls))
    if known is None:
        known = layouts[id(cls)] = (cls, Layout(cls))
    return known[1]


def named_children(obj: Any, expression: str | None, layouts: Layouts) -> Named | None:
    """The named children of any object; None for those that have none."""
    cls = type(obj)
    if id(cls) in LEAVES or is_lazy_import(obj):
        return None
    if is_class(obj):
        return of_class(obj, expression)
    if issubclass(cls, MODULE):
        own = instance_dict(obj)
        return (
            of_namespace(own, lambda name: attribute(expression, name, MODULE), own.__setitem__)
            if own
            else None
        )
    if library_of(cls):
        from remora.values import arrays

        if arrays.knows(cls):
            return arrays.named(obj, expression)
    layout = layout_of(cls, layouts)
    own = instance_dict(obj) or {}
    sections = [
        *running.sections(obj, expression),
        _own_section(obj, own, expression, layout),
        _field_section(obj, expression, layout),
        _lazy_section(obj, own, expression, layout),
        _constant_section(obj, own, expression, layout),
    ]
    if cls is CELL:
        sections = [_cell_section(obj, expression)]
    elif issubclass(cls, WEAK_REFERENCE):
        sections.insert(0, _referent_section(obj, expression))
    named = Named(*sections)
    return named if named.sections else None


def attribute_setter(obj: Any, name: str) -> Callable[[object], None]:
    return lambda value: setattr(obj, name, value)


def _own_section(obj: Any, own: dict[Any, Any], expression: str | None, layout: Layout) -> Section:
    cls = type(obj)
    # `_value_` and the like are how enum keeps its members.
    names = [k for k in list(dict.keys(own)) if type(k) is not str or not is_special(k)]
    special = [k for k in list(dict.keys(own)) if type(k) is str and is_special(k)]

    def make(key: Any) -> Child:
        value = own[key] if type(key) is str else _by_identity(own, key)
        if type(key) is not str:
            return Child(
                Texts(LIST, run_user_code=False).name(key), value, refusal="its name is not an identifier"
            )
        hidden = key in layout.descriptors or key in layout.fields
        if hidden:
            holder = attribute(expression, "__dict__", cls)
            found = None if holder is None else f"{holder}[{key!r}]"
            return Child(key, value, expression=found, setter=lambda new: own.__setitem__(key, new))
        return Child(
            key, value, expression=attribute(expression, key, cls), setter=attribute_setter(obj, key)
        )

    return Section(names + special, make)


def _by_identity(mapping: dict[Any, Any], key: object) -> Any:
    return next((value for found, value in list(dict.items(mapping)) if found is key), MISSING)


def _field_section(obj: Any, expression: str | None, layout: Layout) -> Section:
    cls = type(obj)
    values: dict[str, Any] = {}
    for name, descriptor in layout.fields.items():
        try:
            values[name] = descriptor.__get__(obj, cls)
        except Exception:  # an empty slot, a released memoryview: there is nothing to show
            continue
    frozen = issubclass(cls, tuple)

    def make(name: str) -> Child:
        return Child(
            name,
            values[name],
            expression=attribute(expression, name, cls),
            setter=None if frozen else attribute_setter(obj, name),
            refusal=f"a {type_name(cls)} is a tuple: its fields cannot be set",
        )

    plain = [name for name in values if not is_special(name)]
    return Section(plain + [name for name in values if is_special(name)], make)


def _lazy_section(obj: Any, own: dict[Any, Any], expression: str | None, layout: Layout) -> Section:
    cls = type(obj)

    def make(name: str) -> Child:
        descriptor = layout.descriptors[name]
        settable = type(descriptor) is not property or descriptor.fset is not None
        return Child(
            name,
            expression=attribute(expression, name, cls),
            getter=lambda: getattr(obj, name),
            setter=attribute_setter(obj, name) if settable else None,
            refusal=f"the property {name!r} has no setter",
            type_name=type_name(type(descriptor)),
            kind="property",
            attributes=("hasSideEffects",),
        )

    # A cached_property that has run is in the instance dict already.
    names = [
        name
        for name, descriptor in layout.descriptors.items()
        if name not in own or class_attribute(type(descriptor), "__set__") is not MISSING
    ]
    return Section(names, make)


def _constant_section(obj: Any, own: dict[Any, Any], expression: str | None, layout: Layout) -> Section:
    cls = type(obj)

    def make(name: str) -> Child:
        return Child(
            name,
            layout.constants[name],
            expression=attribute(expression, name, cls),
            setter=attribute_setter(obj, name),
            attributes=("static",),
        )

    return Section([name for name in layout.constants if name not in own], make)


def _cell_section(cell: Any, expression: str | None) -> Section:
    try:
        value = cell.cell_contents
    except ValueError:
        return ready([])
    return ready(
        [
            Child(
                "cell_contents",
                value,
                expression=attribute(expression, "cell_contents", CELL),
                setter=attribute_setter(cell, "cell_contents"),
            )
        ]
    )


def _referent_section(reference: Any, expression: str | None) -> Section:
    target = WEAK_REFERENCE.__call__(reference)
    if target is None:
        return ready([])
    found = f"{expression}()" if expression else None
    return ready([Child("referent", target, expression=found, kind="virtual")])


def of_namespace(
    names: dict[Any, Any],
    expression: Callable[[str], str | None],
    bind: Callable[[Any, Any], None],
) -> Named:
    """The names of a module: data first, then groups of modules, classes, functions, special names."""
    data: list[str] = []
    groups: dict[str, list[str]] = {"modules": [], "classes": [], "functions": [], "special variables": []}
    for name, value in list(dict.items(names)):
        if type(name) is not str:
            continue
        if is_special(name):
            groups["special variables"].append(name)
        elif issubclass(type(value), MODULE) or is_lazy_import(value):
            groups["modules"].append(name)
        elif is_class(value):
            groups["classes"].append(name)
        elif type(value) is FUNCTION or type(value) is BUILTIN:
            groups["functions"].append(name)
        else:
            data.append(name)

    def make(name: str) -> Child:
        value = dict.get(names, name, MISSING)
        if is_lazy_import(value):
            return Child(
                name,
                expression=expression(name),
                getter=value.resolve,
                type_name="module",
                attributes=("hasSideEffects",),
                refusal="it is a lazy import",
            )
        return Child(name, value, expression=expression(name), setter=lambda new: bind(name, new))

    gathered = [group(title, Section(found, make)) for title, found in groups.items() if found]
    return Named(Section(data, make), ready(gathered))


def group(title: str, *sections: Section) -> Child:
    return Child(title, Group(Named(*sections)), kind="virtual")


def of_class(cls: Any, expression: str | None) -> Named:
    """A class: members of an enum, data, properties as objects; methods and special names in groups."""
    meta = type(cls)
    own = namespace(cls)
    bases = type.__dict__["__bases__"].__get__(cls)
    data: list[str] = []
    methods: list[str] = []
    special: list[str] = []
    members = own.get("_member_map_", MISSING)
    members = members if issubclass(type(members), dict) else {}
    for name, value in list(own.items()):
        if type(name) is not str or name in members:
            continue
        if is_special(name) or (members and name.startswith("_")):
            special.append(name)
        elif id(type(value)) in METHODS or has_descriptor_get(value):
            methods.append(name)
        else:
            data.append(name)

    def make(name: str) -> Child:
        value = own.get(name, MISSING)
        found = attribute(expression, name, meta)
        if has_descriptor_get(value) and type(value) is not FUNCTION:
            # `C.name` would run the descriptor; what is shown is the descriptor itself.
            found = None if expression is None else f"{expression}.__dict__[{name!r}]"
        return Child(name, value, expression=found, setter=attribute_setter(cls, name))

    def member(name: str) -> Child:
        found = attribute(expression, name, meta)
        return Child(name, dict.get(members, name), expression=found, refusal="members of an enum are fixed")

    ancestry = ready(
        [
            Child("__bases__", bases, expression=attribute(expression, "__bases__", meta)),
            Child("__mro__", mro(cls), expression=attribute(expression, "__mro__", meta)),
        ]
    )
    groups = [group("methods", Section(methods, make))] if methods else []
    groups.append(group("special variables", ancestry, Section(special, make)))
    return Named(Section(list(dict.keys(members)), member), Section(data, make), ready(groups))
