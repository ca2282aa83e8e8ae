"""Reading an expression without running any code: what hovering and completion may do.

Names, attributes found in instance dicts, slots and classes, and subscripts of exact builtin containers with
plain keys. Everything else is refused with the reason.
"""

from __future__ import annotations

import _ast
import sys
from _collections import OrderedDict, defaultdict, deque  # type: ignore[import-not-found]

from remora.engine.mangling import mangle
from remora.values import syntax
from remora.values.answers import EvaluationFailed
from remora.values.names import Names, builtins_of
from remora.values.static import MISSING, Types, is_lazy_import, items, static_attribute, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# Comparing a key of the program with ours might run its __eq__, so keys are compared one by one, by type.
MAX_KEYS = 200_000
PLAIN_KEYS = Types(str, bytes, int, bool, float, complex, type(None))
NUMBERS = Types(int, bool, float, complex)
SEQUENCES = Types(list, tuple, str, bytes, bytearray, range, deque)


def look(source: str, names: Names | None, extra: Mapping[str, object]) -> Any:
    """The value of a harmless expression; EvaluationFailed says why for one that is not."""
    tree = syntax.parse(source)
    if len(tree.body) != 1 or not syntax.ends_in_expression(tree):
        raise EvaluationFailed("not evaluated on hover: it is a statement")
    return _value(tree.body[0].value, names, extra)


def _value(node: Any, names: Names | None, extra: Mapping[str, object]) -> Any:
    if isinstance(node, _ast.Name):
        return _name(node.id, names, extra)
    if isinstance(node, _ast.Attribute):
        owner = _value(node.value, names, extra)
        wanted = mangle(node.attr, names.enclosing_class() if names is not None else None)
        found = static_attribute(owner, wanted)
        if found is MISSING or is_lazy_import(found):
            raise EvaluationFailed(
                f"not evaluated on hover: reading {wanted!r} of a {type_name(type(owner))} would run code"
            )
        return found
    if isinstance(node, _ast.Subscript):
        return _item(_value(node.value, names, extra), node.slice, names, extra)
    found = syntax.literal(node)
    if found is MISSING:
        raise EvaluationFailed("not evaluated on hover: it would run code")
    return found


def _name(name: str, names: Names | None, extra: Mapping[str, object]) -> Any:
    if name in extra:
        return extra[name]
    if names is not None:
        found = names.look_up(mangle(name, names.enclosing_class()))
    else:
        main = sys.modules["__main__"].__dict__
        found = main.get(name, MISSING)
        if found is MISSING:
            found = builtins_of(main).get(name, MISSING)
    if found is MISSING:
        raise EvaluationFailed(f"NameError: name {name!r} is not defined")
    if is_lazy_import(found):
        raise EvaluationFailed(f"not evaluated on hover: {name!r} is a lazy import that is not loaded yet")
    return found


def _item(container: Any, index: Any, names: Names | None, extra: Mapping[str, object]) -> Any:
    kind = type(container)
    key = syntax.literal(index)
    if key is MISSING and isinstance(index, _ast.Name | _ast.Attribute | _ast.Subscript):
        key = _value(index, names, extra)
    if kind is dict or kind is OrderedDict or kind is defaultdict:
        if type(key) not in PLAIN_KEYS:
            raise EvaluationFailed("not evaluated on hover: the key is not a plain value")
        return _entry(container, key)
    if kind in SEQUENCES:
        if type(key) is not int and type(key) is not bool:
            raise EvaluationFailed("not evaluated on hover: the index is not a plain number")
        try:
            return container[key]
        except IndexError as error:
            raise EvaluationFailed(f"IndexError: {error}") from None
    raise EvaluationFailed(f"not evaluated on hover: reading an item of a {type_name(kind)} would run code")


def _entry(container: dict[Any, Any], key: Any) -> Any:
    if dict.__len__(container) > MAX_KEYS:
        raise EvaluationFailed("not evaluated on hover: the dict is too large to be searched safely")
    number = type(key) in NUMBERS
    for known, value in items(container):
        kind = type(known)
        if (kind is type(key) or (number and kind in NUMBERS)) and known == key:
            return value
    raise EvaluationFailed(f"KeyError: {key!r}")
