"""The source a person typed, as syntax trees: parsed, taken apart, wrapped and compiled.

Works on the C module `_ast`: `ast` would load twenty modules into the debuggee. Runs no code of the program.
"""

from __future__ import annotations

import _ast

from remora.values.answers import EvaluationFailed
from remora.values.static import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType
    from typing import Any

FILENAME = "<evaluate>"
TOP_LEVEL_AWAIT = _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
LOCALS = "__remora_locals__"
CLASS = "__remora_class__"
# Where a made-up node stands; the compiler insists on a place.
PLACE: dict[str, Any] = {"lineno": 1, "col_offset": 0, "end_lineno": 1, "end_col_offset": 0}


def parse(source: str, flags: int = 0) -> Any:
    """Parse an expression or statements, also when indented or broken over lines without brackets."""
    flags |= _ast.PyCF_ONLY_AST | TOP_LEVEL_AWAIT
    text = dedent(source)
    if not text.strip():
        raise EvaluationFailed("there is nothing to evaluate")
    if "\0" in text:
        raise EvaluationFailed("SyntaxError: source code cannot contain null bytes")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EvaluationFailed("SyntaxError: the expression contains a lone surrogate") from None
    try:
        tree: Any = compile(text, FILENAME, "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        if "\n" in text.strip() or ":=" in text:
            # A hover over several lines lacks the brackets round it; so does `n := 1` at a console.
            try:
                return compile(f"({text.strip()}\n)", FILENAME, "exec", flags, dont_inherit=True)
            except SyntaxError:
                pass
        raise failure(error, text) from None
    except (MemoryError, RecursionError):  # what the parser says of a thousand nested brackets
        raise EvaluationFailed("SyntaxError: the expression is too deeply nested") from None
    if not tree.body:
        raise EvaluationFailed("there is nothing to evaluate")
    return tree


def dedent(source: str) -> str:
    """Take the indentation of the first line off every line that has it."""
    lines = source.replace("\r\n", "\n").split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    if not lines:
        return ""
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    if indent:
        lines = [line.removeprefix(indent) for line in lines]
    return "\n".join(lines).rstrip()


def failure(error: SyntaxError, source: str) -> EvaluationFailed:
    """Say where a syntax error is, and show the line."""
    kind = type(error).__name__
    line = error.lineno or 1
    column = max((error.offset or 1) - 1, 0)
    lines = source.split("\n")
    shown = lines[line - 1] if 0 < line <= len(lines) else ""
    width = 1
    if error.end_lineno == error.lineno and error.end_offset and error.end_offset > column + 1:
        width = min(error.end_offset - 1 - column, max(len(shown) - column, 1))
    trace = (
        f'  File "{FILENAME}", line {line}\n    {shown}\n    {" " * column}{"^" * width}\n{kind}: {error.msg}'
    )
    where = f" (line {line}, column {column + 1})" if len(lines) > 1 else f" (column {column + 1})"
    return EvaluationFailed(
        f"{kind}: {error.msg}{where}", trace=trace, exception=error, line=line, column=column
    )


def children(node: Any) -> Iterator[Any]:
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, _ast.AST):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, _ast.AST))


def walk(tree: Any) -> Iterator[Any]:
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(children(node))


def names_in(tree: Any) -> set[str]:
    """Every name read or bound anywhere in the tree; too many do no harm."""
    found: set[str] = set()
    for node in walk(tree):
        if isinstance(node, _ast.Name):
            found.add(node.id)
        elif isinstance(node, _ast.Nonlocal | _ast.Global):
            found.update(node.names)
    return found


def ends_in_expression(tree: Any) -> bool:
    return bool(tree.body) and isinstance(tree.body[-1], _ast.Expr)


def split(tree: Any) -> tuple[Any | None, Any | None]:
    """Part into statements (a Module) and the last expression (an Expression), each None if absent."""
    last = _ast.Expression(body=tree.body[-1].value) if ends_in_expression(tree) else None
    body = tree.body[:-1] if last is not None else tree.body
    return (_ast.Module(body=body, type_ignores=[]) if body else None), last


def _arguments(names: list[str]) -> Any:
    return _ast.arguments(
        posonlyargs=[],
        args=[_ast.arg(arg=name, annotation=None, **PLACE) for name in names],
        vararg=None,
        kwonlyargs=[],
        kw_defaults=[],
        kwarg=None,
        defaults=[],
    )


def _function(name: str, parameters: list[str], body: list[Any], *, is_async: bool = False) -> Any:
    kind: Any = _ast.AsyncFunctionDef if is_async else _ast.FunctionDef
    return kind(
        name=name,
        args=_arguments(parameters),
        body=body,
        decorator_list=[],
        returns=None,
        type_params=[],
        **PLACE,
    )


def _wrapped(inner: Any, parameters: list[str], class_name: str | None, flags: int) -> CodeType:
    """Compile `inner` inside a function with these parameters, inside that class; its code object."""
    outer = _function("<frame>", parameters, [inner])
    if class_name:
        outer = _ast.ClassDef(
            name=class_name, bases=[], keywords=[], body=[outer], decorator_list=[], type_params=[], **PLACE
        )
    module = _ast.Module(body=[outer], type_ignores=[])
    code = compile(module, FILENAME, "exec", flags, dont_inherit=True)
    for name in ([class_name] if class_name else []) + ["<frame>", inner.name]:
        code = _nested(code, name)
    return code  # type: ignore[no-any-return]


def _nested(code: CodeType, name: str) -> CodeType:
    return next(c for c in code.co_consts if isinstance(c, type(code)) and c.co_name == name)


def assigned_names(tree: Any, parameters: set[str], class_name: str | None, flags: int) -> set[str]:
    """Names the source binds in its own scope, as the compiler sees it (walrus, imports, `except as`, …)."""
    if not any(isinstance(node, BINDERS) for node in walk(tree)):
        return set()
    _untype_annotations(tree)
    inner = _function("<evaluate>", [], tree.body, is_async=True)
    code = _wrapped(inner, sorted(parameters), class_name, flags)
    return {name for name in code.co_varnames + code.co_cellvars if not name.startswith(".")}


BINDERS = (
    _ast.NamedExpr,
    _ast.Assign,
    _ast.AugAssign,
    _ast.AnnAssign,
    _ast.For,
    _ast.AsyncFor,
    _ast.With,
    _ast.AsyncWith,
    _ast.Import,
    _ast.ImportFrom,
    _ast.FunctionDef,
    _ast.AsyncFunctionDef,
    _ast.ClassDef,
    _ast.Try,
    _ast.TryStar,
    _ast.Match,
    _ast.Delete,
    _ast.TypeAlias,
)


def _untype_annotations(tree: Any) -> None:
    """`x: int = 3` cannot be nonlocal; at a console the annotation has nothing to say."""
    for index, node in enumerate(tree.body):
        if isinstance(node, _ast.AnnAssign) and isinstance(node.target, _ast.Name):
            place = {name: getattr(node, name) for name in PLACE}
            if node.value is None:
                tree.body[index] = _ast.Pass(**place)
            else:
                tree.body[index] = _ast.Assign(
                    targets=[node.target], value=node.value, type_comment=None, **place
                )


def function_code(
    tree: Any,
    *,
    parameters: set[str],
    nonlocal_names: set[str],
    global_names: set[str],
    class_name: str | None,
    is_async: bool,
    flags: int,
) -> CodeType:
    """Compile the source as the body of the innermost function of evaluation's docstring."""
    body = list(tree.body)
    if ends_in_expression(tree):
        last = body[-1]
        body[-1] = _ast.Return(value=last.value, **{name: getattr(last, name) for name in PLACE})
    if nonlocal_names:
        body.insert(0, _ast.Nonlocal(names=sorted(nonlocal_names), **PLACE))
    if global_names:
        body.insert(0, _ast.Global(names=sorted(global_names), **PLACE))
    inner = _function("<evaluate>", [], body, is_async=is_async)
    return _wrapped(inner, sorted(parameters), class_name, flags)


def replace_locals(tree: Any) -> bool:
    """Turn `locals()`, `vars()` and `dir()` into the name LOCALS; whether there were any."""

    def replacement(call: Any) -> Any | None:
        if not isinstance(call.func, _ast.Name) or call.args or call.keywords:
            return None
        if call.func.id not in ("locals", "vars", "dir"):
            return None
        place = {name: getattr(call, name) for name in PLACE}
        found = _ast.Name(id=LOCALS, ctx=_ast.Load(), **place)
        if call.func.id != "dir":
            return found
        ordered = _ast.Name(id="sorted", ctx=_ast.Load(), **place)
        return _ast.Call(func=ordered, args=[found], keywords=[], **place)

    return _replace_calls(tree, replacement)


def replace_super(tree: Any, first: str) -> bool:
    """Give `super()` the class and the first argument it would find in the frame."""

    def replacement(call: Any) -> Any | None:
        if not isinstance(call.func, _ast.Name) or call.func.id != "super" or call.args or call.keywords:
            return None
        place = {name: getattr(call, name) for name in PLACE}
        call.args = [_ast.Name(id=name, ctx=_ast.Load(), **place) for name in (CLASS, first)]
        return call

    return _replace_calls(tree, replacement)


def _replace_calls(tree: Any, replacement: Any) -> bool:
    replaced = False
    for node in list(walk(tree)):
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, _ast.Call):
                new = replacement(value)
                if new is not None:
                    setattr(node, field, new)
                    replaced = True
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(item, _ast.Call) and (new := replacement(item)) is not None:
                        value[index] = new
                        replaced = True
    return replaced


def assignment(target_source: str, value_source: str) -> str:
    """The statement that assigns one expression to another; EvaluationFailed if it is not that."""
    for source, what in ((target_source, "what to assign to"), (value_source, "the value")):
        tree = parse(source)
        if len(tree.body) != 1 or not ends_in_expression(tree):
            raise EvaluationFailed(f"{what} is not a single expression: {source.strip()[:80]}")
    target = parse(target_source).body[0].value
    if not isinstance(target, _ast.Name | _ast.Attribute | _ast.Subscript | _ast.Tuple | _ast.List):
        raise EvaluationFailed(f"{target_source.strip()[:80]} cannot be assigned to")
    return f"{target_source.strip()} = (\n{value_source.strip()}\n)"


def is_path(source: str) -> bool:
    """Whether reading the source again is free: names, attributes and subscripts with plain keys only."""
    try:
        tree = parse(source)
    except EvaluationFailed:
        return False
    if len(tree.body) != 1 or not ends_in_expression(tree):
        return False
    allowed = (_ast.Name, _ast.Attribute, _ast.Subscript, _ast.Constant, _ast.UnaryOp, _ast.USub, _ast.Load)
    return all(isinstance(node, allowed) for node in walk(tree.body[0].value))


def operand(source: str, *, is_path: bool) -> str:
    """The source as part of a longer expression."""
    text = source.strip()
    if "#" in text or "\n" in text:
        return f"({text}\n)"  # a comment must not swallow the closing bracket
    return text if is_path else f"({text})"


def literal(node: Any) -> Any:
    """The value of a literal number, string or tuple of such; MISSING for anything else."""
    if isinstance(node, _ast.Constant):
        return node.value
    if isinstance(node, _ast.UnaryOp) and isinstance(node.op, _ast.USub):
        value = literal(node.operand)
        return -value if type(value) in (int, float, complex) else MISSING
    if isinstance(node, _ast.Tuple):
        parts = tuple(literal(item) for item in node.elts)
        return MISSING if any(part is MISSING for part in parts) else parts
    return MISSING
