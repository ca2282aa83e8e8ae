"""What may be typed next: names in scope, attributes, dict keys, modules, keywords. Runs no code.

Columns are 0-based and count characters of the line.
"""

from __future__ import annotations

import sys

from remora.values.answers import Completion, EvaluationFailed
from remora.values.child import KEYWORDS
from remora.values.look import look
from remora.values.names import Names, builtins_of
from remora.values.static import (
    BUILTIN,
    FUNCTION,
    METHOD,
    METHOD_DESCRIPTOR,
    MISSING,
    MODULE,
    WRAPPER_DESCRIPTOR,
    Types,
    has_descriptor_get,
    instance_dict,
    is_class,
    items,
    mro,
    namespace,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

MAX_PROPOSALS = 1000
MAX_KEYS = 2000  # of a dict, looked at
CALLABLES = Types(FUNCTION, classmethod, staticmethod, BUILTIN, METHOD, METHOD_DESCRIPTOR, WRAPPER_DESCRIPTOR)


def complete(
    text: str, column: int, line: int, names: Names | None, extra: Mapping[str, object]
) -> list[Completion]:
    """Propose completions at a place of a text of one or more lines."""
    lines = text.split("\n")
    before = lines[min(max(line, 0), len(lines) - 1)][: max(column, 0)]
    quote, in_comment = open_quote(before)
    if in_comment:
        return []
    if quote is not None:
        return _keys(before, quote, names, extra)
    start = len(before)
    while start and (before[start - 1].isalnum() or before[start - 1] == "_"):
        start -= 1
    prefix = before[start:]
    if prefix[:1].isdigit():
        return []
    words = before[:start].split()
    if words[:1] == ["import"] or (words[:1] == ["from"] and "import" not in words):
        return _modules(before, start)
    if words[:1] == ["from"] and len(words) >= 3:
        module = sys.modules.get(words[1])
        found = attributes_of(module) if module is not None else {}
        return _proposals(found, prefix, start, module)
    if before[:start].rstrip().endswith("."):
        owner_end = len(before[:start].rstrip()) - 1
        source = before[primary_start(before, owner_end) : owner_end].strip()
        if not source or source.isdecimal():
            return []
        try:
            owner = look(source, names, extra)
        except EvaluationFailed:
            return []
        return _proposals(attributes_of(owner), prefix, start, owner)
    return _names(prefix, start, names, extra)


def open_quote(text: str) -> tuple[int | None, bool]:
    """Where the string begins that is still open at the end of the text, if any; whether a comment is."""
    opened: int | None = None
    index = 0
    while index < len(text):
        character = text[index]
        if opened is not None:
            if character == "\\":
                index += 1
            elif character == text[opened]:
                opened = None
        elif character in "'\"":
            opened = index
        elif character == "#":
            return None, True
        index += 1
    return opened, False


def primary_start(text: str, end: int) -> int:
    """Where the expression begins that ends at `end`: names, dots, brackets and strings read backwards."""
    index = end
    while index:
        character = text[index - 1]
        if character.isalnum() or character == "_":
            while index and (text[index - 1].isalnum() or text[index - 1] == "_"):
                index -= 1
            if not (index and text[index - 1] == "."):
                return index
            index -= 1
        elif character in ")]":
            index = _bracket_start(text, index)
        elif character in "'\"":
            start = text.rfind(character, 0, index - 1)
            return start if start >= 0 else index
        else:
            return index
    return index


def _bracket_start(text: str, end: int) -> int:
    depth = 0
    index = end
    while index:
        character = text[index - 1]
        if character in "'\"":
            start = text.rfind(character, 0, index - 1)
            if start < 0:
                return 0
            index = start
            continue
        if character in ")]}":
            depth += 1
        elif character in "([{":
            depth -= 1
            if not depth:
                return index - 1
        index -= 1
    return 0


def attributes_of(owner: Any) -> dict[str, Any]:
    """Attributes by name, as they lie in the instance dict and the classes; values are not bound."""
    found: dict[str, Any] = {}
    classes = list(mro(type(owner)))
    if is_class(owner):
        classes = list(mro(owner)) + classes
    for cls in reversed(classes):
        found.update((k, v) for k, v in list(namespace(cls).items()) if type(k) is str)
    own = None if is_class(owner) else instance_dict(owner)
    if own:
        found.update((k, v) for k, v in list(items(own)) if type(k) is str)
    return {name: value for name, value in found.items() if name.isidentifier()}


def _kind(value: Any, owner: Any) -> str:
    kind = type(value)
    if issubclass(kind, MODULE):
        return "module"
    if is_class(value):
        return "class"
    if kind in CALLABLES:
        return "function" if owner is None or type(owner) is MODULE else "method"
    if kind is property or has_descriptor_get(value):
        return "property"
    return "variable" if owner is None or type(owner) is MODULE else "field"


def _proposals(found: Mapping[str, Any], prefix: str, start: int, owner: Any) -> list[Completion]:
    return [
        Completion(
            name,
            _kind(found[name], owner),
            start=start,
            length=len(prefix),
            detail=type_name(type(found[name])),
            sort_text=_sorted_as(name, "1"),
        )
        for name in _matching(found, prefix)
    ]


def _sorted_as(name: str, rank: str) -> str:
    """Public names first, then private, then special ones."""
    return f"{rank}{len(name) - len(name.lstrip('_'))}{name}"


def _matching(names: Iterable[str], prefix: str) -> list[str]:
    every = sorted(names, key=lambda name: (len(name) - len(name.lstrip("_")), name))
    exact = [name for name in every if name.startswith(prefix)]
    if not exact and prefix:
        exact = [name for name in every if name.lower().startswith(prefix.lower())]
    return exact[:MAX_PROPOSALS]


def _names(prefix: str, start: int, names: Names | None, extra: Mapping[str, object]) -> list[Completion]:
    found: dict[str, tuple[str, Any]] = {}
    module = names.globals if names is not None else sys.modules["__main__"].__dict__
    if names is not None:
        for name in [*names.local_names(), *names.free_names()]:
            found.setdefault(name, ("1", names.read(name)))
    for name, value in extra.items():
        found.setdefault(name, ("1", value))
    for rank, scope in (("2", module), ("4", builtins_of(module))):
        for name, value in list(items(scope)):
            if type(name) is str:
                found.setdefault(name, (rank, value))
    for name in KEYWORDS:
        found[name] = ("3", MISSING)
    return [
        Completion(
            name,
            "keyword" if value is MISSING else _kind(value, None),
            start=start,
            length=len(prefix),
            detail="" if value is MISSING else type_name(type(value)),
            sort_text=_sorted_as(name, rank),
        )
        for name in _matching((name for name in found if name.isidentifier()), prefix)
        for rank, value in (found[name],)
    ]


def _keys(before: str, quote: int, names: Names | None, extra: Mapping[str, object]) -> list[Completion]:
    """Keys of a dict behind `d["`; the quote that was typed is kept, the closing ones are added."""
    head = before[:quote].rstrip()
    if not head.endswith("["):
        return []
    source = head[primary_start(head, len(head) - 1) : -1]
    try:
        owner = look(source, names, extra)
    except EvaluationFailed:
        return []
    if not issubclass(type(owner), dict):
        return []
    typed = before[quote + 1 :]
    mark = before[quote]
    proposals: list[Completion] = []
    for index, key in enumerate(dict.keys(owner)):
        if index >= MAX_KEYS or len(proposals) >= MAX_PROPOSALS:
            break
        if type(key) is str and key.startswith(typed):
            inside = repr(key)[1:-1]
            if mark not in inside:
                proposals.append(
                    Completion(
                        key,
                        "value",
                        start=quote + 1,
                        length=len(typed),
                        text=f"{inside}{mark}]",
                        detail="key",
                    )
                )
    return proposals


def _modules(before: str, start: int) -> list[Completion]:
    """Modules after `import` and `from`: those loaded, and at top level the standard library's names."""
    begin = start
    while begin and (before[begin - 1].isalnum() or before[begin - 1] in "_."):
        begin -= 1
    package, dot, prefix = before[begin:].rpartition(".")
    loaded = {
        name[len(package) + len(dot) :].partition(".")[0]
        for name in list(sys.modules)
        if not package or name.startswith(f"{package}.")
    }
    if not package:
        loaded |= sys.stdlib_module_names
    return [
        Completion(name, "module", start=start, length=len(prefix), sort_text=_sorted_as(name, "1"))
        for name in _matching((name for name in loaded if name.isidentifier()), prefix)
    ]
