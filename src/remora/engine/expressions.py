"""Expressions of breakpoints: conditions and log messages, compiled once, read often.

`eval(code, globals, locals)` copies every local at every hit. Instead the text becomes the body of a function
whose parameters are the local names it reads; the rest comes through the frame's globals, as it would for
code written at that place. What the compiler would do there is done: comprehensions and lambdas see the
locals, `self.__x` is mangled in a method, an unbound local is an error and not the global of the same name.

Made on the agent's thread, called on the program's.
"""

from __future__ import annotations

import sys

from .mangling import class_of, mangle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST, without importing ast
_OPTIMIZED = 0x1
_NAME = "__breakpoint_expression__"
_UNBOUND = "__unbound_local__"
HIDDEN = "<redacted>"
_MEASURES = frozenset({"len", "type", "bool", "isinstance", "id"})
_WHOLE_SCOPE = frozenset({"locals", "vars", "dir", "eval", "exec"})  # these look at the scope, not at a name


_function_type: Any = type(lambda: None)


class Expression:
    """A Python expression to be evaluated in frames of any code object."""

    __slots__ = ("_names", "source", "text")

    def __init__(self, text: str, source: str | None = None) -> None:
        """Raise SyntaxError, with a message for a person, if this is not one expression."""
        self.text = text
        self.source = (text if source is None else source).strip()
        if not self.source:
            raise SyntaxError("the expression is empty")
        try:
            tree = compile(f"(\n{self.source}\n)", "<breakpoint>", "eval", _ONLY_AST, dont_inherit=True)
            compile(f"(\n{self.source}\n)", "<breakpoint>", "eval", dont_inherit=True)
        except (ValueError, MemoryError, RecursionError) as error:
            raise SyntaxError(str(error)) from None
        self._names = _names(tree)

    def bind(self, code: CodeType) -> Callable[[FrameType], Any]:
        """A function from a frame of `code` to the value. What the expression raises comes out of it."""
        if self._names & _WHOLE_SCOPE:
            return self._in_whole_scope()
        if code.co_flags & _OPTIMIZED:
            known = (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
            names = tuple(sys.intern(name) for name in dict.fromkeys(known) if name in self._read(code))
            return self._in_function(code, names)
        return self._in_namespace(code)

    def evaluate(self, frame: FrameType, extra: dict[str, Any]) -> Any:
        """The value in `frame`, with names of `extra` seen too. For what is not hot."""
        scope = {**frame.f_locals, **extra} if frame.f_locals is not frame.f_globals else extra
        names = tuple(name for name in self._read(frame.f_code) if name in scope)
        compiled = self._compile(names, class_of(frame.f_code))
        return _function_type(compiled, frame.f_globals)(*[scope[name] for name in names])

    def _read(self, code: CodeType) -> frozenset[str]:
        owner = class_of(code)
        return frozenset(mangle(name, owner) for name in self._names) if owner else self._names

    def _in_function(self, code: CodeType, names: tuple[str, ...]) -> Callable[[FrameType], Any]:
        compiled = self._compile(names, class_of(code))
        make = _function_type
        function: Any = None
        namespace: Any = None

        if not names:

            def value(frame: FrameType) -> Any:
                nonlocal function, namespace
                if frame.f_globals is not namespace:
                    namespace = frame.f_globals
                    function = make(compiled, namespace)
                return function()

        elif len(names) == 1:
            only = names[0]

            def value(frame: FrameType) -> Any:
                nonlocal function, namespace
                if frame.f_globals is not namespace:
                    namespace = frame.f_globals
                    function = make(compiled, namespace)
                try:
                    local = frame.f_locals[only]
                except KeyError:
                    return self._with_unbound(frame, names)
                return function(local)

        else:

            def value(frame: FrameType) -> Any:
                nonlocal function, namespace
                if frame.f_globals is not namespace:
                    namespace = frame.f_globals
                    function = make(compiled, namespace)
                scope = frame.f_locals
                try:
                    found = [scope[name] for name in names]
                except KeyError:
                    return self._with_unbound(frame, names)
                return function(*found)

        return value

    def _in_namespace(self, code: CodeType) -> Callable[[FrameType], Any]:
        """Module level (locals are the globals) and class bodies (which names are locals shows at run
        time).
        """
        owner = class_of(code)
        wanted = self._read(code)
        by_names: dict[tuple[str, ...], Any] = {}

        def value(frame: FrameType) -> Any:
            scope = frame.f_locals
            names = () if scope is frame.f_globals else tuple(name for name in wanted if name in scope)
            compiled = by_names.get(names)
            if compiled is None:
                compiled = by_names[names] = self._compile(names, owner)
            return _function_type(compiled, frame.f_globals)(*[scope[name] for name in names])

        return value

    def _in_whole_scope(self) -> Callable[[FrameType], Any]:
        compiled = compile(f"(\n{self.source}\n)", "<breakpoint>", "eval", dont_inherit=True)

        def value(frame: FrameType) -> Any:
            return eval(compiled, frame.f_globals, dict(frame.f_locals))

        return value

    def _with_unbound(self, frame: FrameType, names: tuple[str, ...]) -> Any:
        """Some local has no value yet: an error if the expression gets as far as reading it."""
        scope = frame.f_locals
        bound = tuple(name for name in names if name in scope)
        owner = class_of(frame.f_code)
        compiled = self._compile(bound, owner, frozenset(names) - frozenset(bound))
        try:
            return _function_type(compiled, frame.f_globals)(*[scope[name] for name in bound])
        except NameError as error:
            name = error.name or ""
            if not name.startswith(_UNBOUND):
                raise
            missing = name[len(_UNBOUND) :]
        raise UnboundLocalError(f"local variable {missing!r} has no value here yet", name=missing)

    def _compile(
        self, names: tuple[str, ...], owner: str | None, unbound: frozenset[str] = frozenset()
    ) -> CodeType:
        mangled = owner is not None and any(name.startswith("__") for name in self._names)
        parameters = ", ".join(names)
        text = f"def {_NAME}({parameters}):\n return (\n{self.source}\n)"
        if mangled:
            text = f"class {owner}:\n def {_NAME}({parameters}):\n  return (\n{self.source}\n)"
        tree = compile(text, "<breakpoint>", "exec", _ONLY_AST, dont_inherit=True)
        if unbound:
            for node in _walk(tree):
                if type(node).__name__ == "Name" and node.id in unbound:
                    node.id = _UNBOUND + node.id
        code = compile(tree, "<breakpoint>", "exec", dont_inherit=True)
        while code.co_name != _NAME:
            code = next(const for const in code.co_consts if type(const) is type(code))
        return code


def _walk(node: Any) -> Any:
    """Every node below `node`: `ast.walk` without importing ast."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        for field in getattr(node, "_fields", ()):
            value = getattr(node, field, None)
            if isinstance(value, list):
                pending.extend(value)
            elif hasattr(value, "_fields"):
                pending.append(value)


def _names(tree: Any) -> frozenset[str]:
    found = set()
    for node in _walk(tree):
        kind = type(node).__name__
        if kind == "Name":
            found.add(node.id)
        elif kind == "Attribute" and node.attr.startswith("__"):
            found.add(node.attr)  # it may have to be mangled
    return frozenset(found)


def reads(source: str, accepts: Callable[[str], bool]) -> bool:
    """Say whether the value of an expression may be that of a name, attribute or key that `accepts` accepts.

    What only measures or compares it (`len(x)`, `x is None`) does not give it away.
    """
    tree: Any = compile(f"(\n{source}\n)", "<expression>", "eval", _ONLY_AST, dont_inherit=True)
    pending = [tree]
    while pending:
        node = pending.pop()
        kind = type(node).__name__
        if kind == "Compare" or (kind == "UnaryOp" and type(node.op).__name__ == "Not"):
            continue
        if kind == "Call" and type(node.func).__name__ == "Name" and node.func.id in _MEASURES:
            continue
        name = node.id if kind == "Name" else node.attr if kind == "Attribute" else None
        if kind == "JoinedStr":
            # Its text is no key, only what stands in braces counts.
            pending.extend(value for value in node.values if type(value).__name__ != "Constant")
            continue
        if kind == "Constant" and isinstance(node.value, str | bytes):
            name = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        if name is not None and accepts(name):
            return True
        for field in getattr(node, "_fields", ()):
            value = getattr(node, field, None)
            if isinstance(value, list):
                pending.extend(value)
            elif hasattr(value, "_fields"):
                pending.append(value)
    return False


class LogMessage:
    """Text with `{expression!conversion:format}` in it, `{{` and `}}` for braces, as in an f-string."""

    __slots__ = ("_parts", "_whole", "text")

    def __init__(self, text: str, hides: Callable[[str], bool] | None = None) -> None:
        """Raise SyntaxError, with a message for a person, if a field is ill-formed.

        Fields that read a name which `hides` accepts are not evaluated: HIDDEN stands in their place.
        """
        self.text = text
        self._parts: list[str | Expression] = []
        for is_field, part in _split(text):
            if is_field and hides is not None and reads(_quote_field(part), hides):
                self._parts.append(HIDDEN)
            else:
                self._parts.append(Expression(part, _quote_field(part)) if is_field else part)
        if any(isinstance(part, Expression) for part in self._parts):
            body = "".join(
                "{" + _guarded(part.text) + "}" if isinstance(part, Expression) else _quote_literal(part)
                for part in self._parts
            )
            self._whole: Expression | None = Expression(text, f'f"""{body}"""')
        else:
            self._whole = None

    def bind(self, code: CodeType) -> Callable[[FrameType], str]:
        """A function from a frame to the text. An error in a field is shown in its place."""
        whole = self._whole
        if whole is None:
            constant = "".join(part for part in self._parts if isinstance(part, str))
            return lambda frame: constant
        fast = whole.bind(code)

        def render(frame: FrameType) -> str:
            try:
                text: str = fast(frame)
                return text
            except Exception:
                return self._piecewise(frame)

        return render

    def _piecewise(self, frame: FrameType) -> str:
        result = []
        for part in self._parts:
            if isinstance(part, str):
                result.append(part)
                continue
            try:
                result.append(part.bind(frame.f_code)(frame))
            except Exception as error:  # boundary: the user's code
                result.append("{" + describe(error) + "}")
        return "".join(result)


def describe(error: BaseException) -> str:
    """One line about an exception of the user's code, whatever its `__str__` does."""
    try:
        text = str(error)
    except Exception:  # boundary: the user's __str__
        text = "<its text cannot be made>"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _guarded(field: str) -> str:
    # `{{x}}` would be an escaped brace, so a dict or set display needs its blank.
    return " " + field if field.startswith("{") else field


def _quote_field(field: str) -> str:
    return f'f"""{{{_guarded(field)}}}"""'


def _quote_literal(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
    return text.replace("{", "{{").replace("}", "}}").replace("\0", "\\0")


def _split(text: str) -> list[tuple[bool, str]]:
    """(is it a field, its text) in order. A field ends at the first brace that makes it a whole one."""
    parts: list[tuple[bool, str]] = []
    literal = ""
    index = 0
    while index < len(text):
        char = text[index]
        if char in "{}" and text[index : index + 2] == char * 2:
            literal += char
            index += 2
        elif char == "}":
            raise SyntaxError("a single '}': write '}}' for a brace")
        elif char == "{":
            end = _end_of_field(text, index)
            if literal:
                parts.append((False, literal))
            literal = ""
            parts.append((True, text[index + 1 : end]))
            index = end + 1
        else:
            literal += char
            index += 1
    if literal:
        parts.append((False, literal))
    return parts


def _end_of_field(text: str, start: int) -> int:
    problem: SyntaxError | None = None
    end = text.find("}", start)
    if end < 0:
        raise SyntaxError("a '{' that is never closed: write '{{' for a brace")
    while end >= 0:
        field = text[start + 1 : end]
        if not field.strip():
            raise SyntaxError("an empty '{}': write '{{}}' for braces")
        try:
            compile(_quote_field(field), "<log message>", "eval", dont_inherit=True)
            return end
        except (SyntaxError, ValueError) as error:
            problem = problem or SyntaxError(f"{{{field}}}: {getattr(error, 'msg', error)}")
        end = text.find("}", end + 1)
    assert problem is not None
    raise problem
