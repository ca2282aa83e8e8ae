"""A changed source file taken over by the running program: functions get their new code where they are.

Nothing of the module is run again but definitions that are new: functions, classes, imports and names that
the module (or a class of it) does not have yet. Everything else goes by code objects: whoever holds a
function, a wrapper, a registry, another module, holds the same function afterwards. What frames run at that
moment they finish. Data is left alone.

Which new code is for which function is told by qualified name, and by order where several share one (a
property's getter and setter). A closure takes new code over only if its variables are the same: CPython asks
for that.

No `ast`: it would load the module for what a loop over `_fields` does as well. On a thread of ours, not on
one of the program's; what is new there runs on it.
"""

from __future__ import annotations

import _ast
import gc
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FunctionType
    from typing import Any

    type Namespace = dict[str, Any]

_FUNCTION: Any = type(lambda: None)
_CODE: Any = type((lambda: None).__code__)
_IS_FUNCTION = 1  # CO_OPTIMIZED: bodies of classes and modules lack it
_FUTURE_ANNOTATIONS = 0x1000000
_ONLY_AST = 0x400
_DEFINITIONS = (_ast.FunctionDef, _ast.AsyncFunctionDef)
_OF_EVERY_CLASS = frozenset(
    ("__module__", "__qualname__", "__dict__", "__weakref__", "__doc__", "__firstlineno__",
     "__static_attributes__", "__annotations__", "__annotate__", "__annotate_func__", "__classdictcell__")
)  # fmt: skip


class Renewal:
    """What has come of it: qualified names, and sentences for the user."""

    __slots__ = ("added", "changed", "module", "problems")

    def __init__(self) -> None:
        self.changed: list[str] = []
        self.added: list[str] = []
        self.problems: list[str] = []
        self.module: CodeType | None = None  # the new text, compiled


def renew(
    path: str, old: bytes | None, new: bytes, namespaces: list[Namespace], is_file: Callable[[str], bool]
) -> Renewal:
    """Take over the text `new` of the file at `path`; `old` is what the program runs now, if it is known.

    `namespaces` are those of the modules made from the file; `is_file` says whether the file name of a code
    object means it.
    """
    result = Renewal()
    try:
        tree = compile(new, path, "exec", _ONLY_AST, dont_inherit=True)
        module = compile(new, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}:{line}" if line else path
        result.problems.append(f"{where}: {getattr(error, 'msg', None) or error}: nothing is taken over")
        return result
    result.module = module
    before = _parsed(old, path)
    known = {_dump(statement) for statement in before.body} if before is not None else set()
    flags = module.co_flags & _FUTURE_ANNOTATIONS
    for namespace in namespaces:
        _add(namespace, tree.body, known, flags, path, result)
    _replace(
        path, module, _defined(tree), _defined(before) if before is not None else {}, is_file, flags, result
    )
    if before is not None:
        data = sorted(_data(tree).items() - _data(before).items())
        names = [
            name for name, _ in data if any(name in one for one in namespaces) and name not in result.added
        ]
        if names:
            result.problems.append(f"left as it is: the data {', '.join(names)}")
    return result


def _parsed(text: bytes | None, path: str) -> Any:
    if text is None:
        return None
    try:
        return compile(text, path, "exec", _ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None


# --- what is new


def _add(
    namespace: Namespace, body: list[Any], known: set[str], flags: int, path: str, result: Renewal
) -> None:
    for statement in body:
        if isinstance(statement, _ast.ClassDef) and isinstance(namespace.get(statement.name), type):
            cls = namespace[statement.name]
            if cls.__module__ == namespace.get("__name__"):
                _add_to_class(cls, statement, namespace, flags, path, result)
            continue
        names = _binds(statement)
        if not names or any(name in namespace for name in names) or _dump(statement) in known:
            continue
        try:
            exec(_compiled(statement, path, flags), namespace)
        except Exception as error:  # boundary: the program's own definitions
            result.problems.append(_failure(names, error, path, statement))
        else:
            result.added += names


def _add_to_class(cls: type, node: Any, namespace: Namespace, flags: int, path: str, result: Renewal) -> None:
    own = type.__getattribute__(cls, "__dict__")
    new = []
    for statement in node.body:
        if isinstance(statement, _ast.ClassDef) and isinstance(own.get(statement.name), type):
            _add_to_class(own[statement.name], statement, namespace, flags, path, result)
            continue
        names = [_mangled(name, node.name) for name in _binds(statement)]
        if names and not any(name in own for name in names):
            new.append(statement)
    if not new:
        return
    # A class of the same name, for the sake of private names, with nothing but what is new.
    made = _ast.ClassDef(name=node.name, bases=[], keywords=[], body=new, decorator_list=[], type_params=[])
    made.lineno = made.end_lineno = node.lineno
    made.col_offset = made.end_col_offset = node.col_offset
    found: Namespace = {}
    try:
        exec(_compiled(made, path, flags), namespace, found)
        for name, value in type.__getattribute__(found[node.name], "__dict__").items():
            if name not in _OF_EVERY_CLASS and name not in own:
                for function in _functions_in(value):
                    _belong(function, cls)
                setattr(cls, name, value)
                result.added.append(f"{cls.__qualname__}.{name}")
    except Exception as error:  # boundary: the program's own definitions
        result.problems.append(_failure([cls.__qualname__], error, path, node))


def _belong(function: Any, cls: type) -> None:
    """Let `super()` and `__class__` in a new method mean the class it is for."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name == "__class__":
            cell.cell_contents = cls


def _functions_in(value: Any) -> Iterator[Any]:
    if type(value) in (staticmethod, classmethod):
        value = value.__func__
    if type(value) is property:
        for part in (value.fget, value.fset, value.fdel):
            yield from _functions_in(part)
    elif type(value) is _FUNCTION:
        yield value


def _binds(statement: Any) -> list[str]:
    """Return the names a statement gives a value to, if it does nothing else that matters."""
    if isinstance(statement, (*_DEFINITIONS, _ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, _ast.ImportFrom) and statement.module == "__future__":
        return []
    if isinstance(statement, _ast.Import | _ast.ImportFrom):
        names = [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
        return [] if "*" in names else names
    targets: list[Any] = []
    if isinstance(statement, _ast.Assign):
        targets = statement.targets
    elif isinstance(statement, _ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    if not all(isinstance(target, _ast.Name) for target in targets):
        return []
    return [target.id for target in targets]


def _mangled(name: str, cls: str) -> str:
    stem = cls.lstrip("_")
    return f"_{stem}{name}" if name.startswith("__") and not name.endswith("__") and stem else name


def _compiled(statement: Any, path: str, flags: int) -> CodeType:
    code: CodeType = compile(_ast.Module(body=[statement], type_ignores=[]), path, "exec", flags, True)
    return code


def _failure(names: list[str], error: Exception, path: str, statement: Any) -> str:
    what = f"{type(error).__name__}: {error}"
    return f"{path}:{statement.lineno}: {', '.join(names)} cannot be added: {what}"


# --- what has changed


def _replace(
    path: str,
    module: CodeType,
    nodes: dict[tuple[str, int], Any],
    old_nodes: dict[tuple[str, int], Any],
    is_file: Callable[[str], bool],
    flags: int,
    result: Renewal,
) -> None:
    new: dict[str, list[CodeType]] = {}
    for code in _codes(module):
        new.setdefault(code.co_qualname, []).append(code)
    fresh = {*result.added}  # compiled one by one, they differ in small things from the module's
    live: dict[str, list[FunctionType]] = {}
    for function in _live(is_file):
        live.setdefault(function.__code__.co_qualname, []).append(function)
    for name, functions in live.items():
        codes = sorted(new.get(name, ()), key=lambda code: code.co_firstlineno)
        old = sorted(
            {id(one.__code__): one.__code__ for one in functions}.values(),
            key=lambda code: code.co_firstlineno,
        )
        if not codes:
            continue  # it is gone from the text; whoever holds it may keep it
        if len(codes) == 1:
            partner = {id(code): codes[0] for code in old}
        elif len(codes) == len(old):
            partner = {id(before): after for before, after in zip(old, codes, strict=True)}
        else:
            if any(code not in codes for code in old):
                result.problems.append(
                    f"{name}: which of {len(codes)} new ones is for which old one is not known"
                )
            continue
        for function in functions:
            before, after = function.__code__, partner[id(function.__code__)]
            if before == after:
                continue
            is_changed = _is_changed(before, after)
            if not _take_over(function, after, result):
                continue
            if is_changed and name not in result.changed and fresh.isdisjoint((name, name.partition(".")[0])):
                result.changed.append(name)
            old_node = old_nodes.get((name, before.co_firstlineno))
            node = nodes.get((name, after.co_firstlineno))
            if old_node is not None and node is not None:
                _renew_defaults(function, old_node, node, path, flags, result)


def _is_changed(before: CodeType, after: CodeType) -> bool:
    """Whether it does something else, and does not only stand elsewhere."""
    if before.co_code != after.co_code or before.co_names != after.co_names:
        return True
    if before.co_varnames != after.co_varnames or before.co_flags != after.co_flags:
        return True
    if len(before.co_consts) != len(after.co_consts):
        return True
    for one, other in zip(before.co_consts, after.co_consts, strict=True):
        if type(one) is _CODE and type(other) is _CODE:
            if one.co_name != other.co_name or _is_changed(one, other):
                return True
        elif type(one) is not type(other) or repr(one) != repr(other):
            return True
    return False


def _take_over(function: FunctionType, code: CodeType, result: Renewal) -> bool:
    before = function.__code__
    if before.co_freevars == code.co_freevars:
        function.__code__ = code
        return True
    if {*before.co_freevars, *code.co_freevars} == {"__class__"} and _as_method(function, code):
        return True
    result.problems.append(
        f"{code.co_qualname}: not taken over, for it uses other variables of the function around it"
    )
    return False


def _as_method(function: FunctionType, code: CodeType) -> bool:
    """A method that calls `super()` now, or does no more: the class gets another function in its place."""
    owner: Any = None
    for name in code.co_qualname.split(".")[:-1]:
        owner = function.__globals__.get(name) if owner is None else getattr(owner, name, None)
    if not isinstance(owner, type):
        return False
    held = type.__getattribute__(owner, "__dict__").get(code.co_name)
    plain: Any = held.__func__ if isinstance(held, staticmethod | classmethod) else held
    if plain is not function:
        return False
    closure = tuple(_cell(owner) for _ in code.co_freevars)
    made = _FUNCTION(code, function.__globals__, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__dict__.update(function.__dict__)
    setattr(owner, code.co_name, made if plain is held else type(held)(made))
    return True


def _cell(value: object) -> Any:
    def holder() -> object:
        return value

    assert holder.__closure__ is not None
    return holder.__closure__[0]


def _renew_defaults(
    function: FunctionType, old: Any, new: Any, path: str, flags: int, result: Renewal
) -> None:
    """Take over default values whose text has changed. They are made where the module's names are."""
    if _defaults(old) == _defaults(new) or "<locals>" in function.__code__.co_qualname:
        return
    fields = {name: getattr(new, name, None) for name in new._fields}
    bare = type(new)(**{**fields, "decorator_list": [], "returns": None})
    for name in ("lineno", "end_lineno", "col_offset", "end_col_offset"):
        setattr(bare, name, getattr(new, name))
    found: Namespace = {}
    try:
        exec(_compiled(bare, path, flags | _FUTURE_ANNOTATIONS), function.__globals__, found)
    except Exception as error:  # boundary: the program's own expressions
        result.problems.append(_failure([f"the defaults of {function.__qualname__}"], error, path, new))
        return
    made = found[new.name]
    function.__defaults__ = made.__defaults__
    function.__kwdefaults__ = made.__kwdefaults__


def _defaults(node: Any) -> list[str]:
    every = (*node.args.defaults, *node.args.kw_defaults)
    return [_dump(default) for default in every] + [str(len(node.args.defaults))]


# --- looking


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if type(inner) is _CODE:
            if inner.co_flags & _IS_FUNCTION:
                yield inner
            yield from _codes(inner)


def _live(is_file: Callable[[str], bool]) -> list[FunctionType]:
    known: dict[str, bool] = {}
    found = []
    for thing in gc.get_objects():
        if type(thing) is _FUNCTION:
            name = thing.__code__.co_filename
            if name not in known:
                known[name] = is_file(name)
            if known[name]:
                found.append(thing)
    return found


def _defined(tree: Any) -> dict[tuple[str, int], Any]:
    """Return the definitions of functions by qualified name and first line, decorators included."""
    found: dict[tuple[str, int], Any] = {}

    def look(nodes: list[Any], prefix: str) -> None:
        for node in nodes:
            if isinstance(node, _DEFINITIONS):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                found[prefix + node.name, first] = node
                look(node.body, f"{prefix}{node.name}.<locals>.")
            elif isinstance(node, _ast.ClassDef):
                look(node.body, f"{prefix}{node.name}.")
            else:
                for field in ("body", "orelse", "handlers", "finalbody"):
                    inner = getattr(node, field, None)
                    if isinstance(inner, list):
                        look(inner, prefix)

    look(tree.body, "")
    return found


def _data(tree: Any) -> dict[str, str]:
    """Return the names the module gives values to, each with the text of its statement."""
    return {
        name: _dump(statement)
        for statement in tree.body
        if isinstance(statement, _ast.Assign | _ast.AnnAssign)
        for name in _binds(statement)
    }


def _dump(node: Any) -> str:
    """Write a tree so that two that mean the same are equal, wherever they stand."""
    if isinstance(node, _ast.AST):
        fields = ",".join(_dump(getattr(node, name, None)) for name in node._fields)
        return f"{type(node).__name__}({fields})"
    if isinstance(node, list):
        return "[" + ",".join(map(_dump, node)) + "]"
    return repr(node)


def summary(path: str, result: Renewal) -> str:
    """Return what the user is told, in lines."""
    name = os.path.basename(path)
    parts = [", ".join(result.changed)] if result.changed else []
    if result.added:
        parts.append("new: " + ", ".join(result.added))
    lines = [f"remora: {name} has changed" + (f", taken over: {'; '.join(parts)}" if parts else "")]
    lines += [f"remora: {problem}" for problem in result.problems]
    return "".join(line + "\n" for line in lines)
