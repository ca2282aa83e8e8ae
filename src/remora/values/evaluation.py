"""Running an expression or statements as if they stood at a stopped line.

`exec(source, globals, locals)` is not enough: a lambda, a generator expression or a nested function in
`source` would look its names up in the globals. So the source becomes the body of a function inside a
function whose parameters are the frame's names; only its code object is taken, and run with cells made here:

    class C:                       # if the frame's code was written in class C: mangles __names
        def outer(a, b, x):        # what the frame knows, and what the source assigns
            def <evaluate>():
                nonlocal x         # what the source assigns
                ...                # the source; its last expression is returned
                return ...

The compiler itself then says which names are needed (`co_freevars`), nested scopes share the cells, and what
has changed in a cell afterwards is bound in the frame, whether the source ended well or not. At module level
there is nothing to share, and the source runs as it is, in the module's globals.

Rejected: a dict subclass or ChainMap as globals (the interpreter bypasses `__getitem__` in nested
functions); writing the function into the frame's own code.

Limits: until the source ends, functions of the program that share a variable with the frame do not see
what it assigned to that variable.

Cost on 3.13: 60 to 100 µs, nearly all of it two compilations.
"""

from __future__ import annotations

import sys

from remora.engine.jobs import Interrupted
from remora.engine.mangling import mangle
from remora.values import syntax
from remora.values.answers import EvaluationFailed
from remora.values.names import Names, builtins_of
from remora.values.static import CELL, FUNCTION, MISSING, exception_field, is_class, mro, namespace
from remora.values.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType
    from typing import Any

# Flags of `from __future__` imports, which the source inherits from the frame's code.
FUTURE_FLAGS = 0x1FE0000
COROUTINE = 0x80 | 0x200  # CO_COROUTINE, CO_ASYNC_GENERATOR


def run(source: str, names: Names | None, extra: Mapping[str, object]) -> Any:
    """Run `source` at the frame of `names`, or in `__main__` if None; the value of its last expression.

    MISSING when the last statement is not an expression. `extra` are read-only names (`__return__`) the
    source may use. Raises EvaluationFailed for whatever the source raised, SystemExit and
    KeyboardInterrupt included; lets Interrupted through.
    """
    handled = sys.exception()
    try:
        return _Run(source, names, extra).value()
    except EvaluationFailed:
        raise
    except Interrupted:
        raise
    except SyntaxError as error:
        if error.filename != syntax.FILENAME:  # raised by the program, on some other text
            raise _failure(error, source, handled) from None
        raise syntax.failure(error, source) from None
    except BaseException as error:  # boundary: the program's code
        raise _failure(error, source, handled) from None


def _failure(error: BaseException, source: str, handled: BaseException | None) -> EvaluationFailed:
    """Turn what the source raised into the answer; remora's own frames are cut off its traceback."""
    from remora.values.tracebacks import is_ours, stack_text  # late: for errors only

    traceback = exception_field(error, "__traceback__")
    while traceback is not None and is_ours(traceback.tb_frame):
        traceback = traceback.tb_next
    BaseException.with_traceback(error, traceback)
    message = one_line(error)
    if type(error) is NameError and "free variable" in message:
        # The cells are ours; in the program's eyes it is a local variable.
        message = message.replace("free variable", "local variable").replace(" in enclosing scope", "")
    text = stack_text(error, sources={syntax.FILENAME: source}, until=handled)
    return EvaluationFailed(message, trace=text, exception=error)


class _Run:
    """One source at one place."""

    def __init__(self, source: str, names: Names | None, extra: Mapping[str, object]) -> None:
        self.names = names
        self.globals: dict[str, Any] = names.globals if names else sys.modules["__main__"].__dict__
        self.flags = names.code.co_flags & FUTURE_FLAGS if names else 0
        self.extra = dict(extra)
        self.tree = syntax.parse(source, self.flags)

    def value(self) -> Any:
        is_async = bool(self._compile(self.tree, syntax.TOP_LEVEL_AWAIT).co_flags & COROUTINE)
        used = syntax.names_in(self.tree)
        at_module = self.names is None or self.names.is_module
        self._provide_specials(used)
        extra = {name: value for name, value in self.extra.items() if name in used}
        hidden = self.names is not None and not used.isdisjoint(self.names.hidden)
        if at_module and not is_async and not extra and not hidden:
            return self._run_in_globals()
        return self._run_in_function(used, extra, is_async=is_async, at_module=at_module)

    def _compile(self, tree: Any, flags: int = 0, mode: str = "exec") -> CodeType:
        code: CodeType = compile(tree, syntax.FILENAME, mode, self.flags | flags, dont_inherit=True)
        return code

    def _run_in_globals(self) -> Any:
        statements, last = syntax.split(self.tree)
        # Without __builtins__ exec would add them to the program's namespace.
        before = None if statements is None else self._compile(statements)
        after = None if last is None else self._compile(last, mode="eval")
        had_builtins = "__builtins__" in self.globals
        try:
            if before is not None:
                exec(before, self.globals)
            return MISSING if after is None else eval(after, self.globals)
        finally:
            if not had_builtins:
                self.globals.pop("__builtins__", None)

    def _provide_specials(self, used: set[str]) -> None:
        """Make locals(), vars(), dir() and super() mean what they would mean in the frame."""
        names = self.names
        if names is None or names.is_module:
            return
        if not used.isdisjoint(("locals", "vars", "dir")) and syntax.replace_locals(self.tree):
            self.extra[syntax.LOCALS] = names.snapshot()
            used.add(syntax.LOCALS)
        if "super" in used and names.code.co_argcount:
            first = names.code.co_varnames[0]
            owner = names.read("__class__") if "__class__" in names.code.co_freevars else MISSING
            if owner is MISSING:
                owner = _class_of_method(names.read(first), names.code)
            if owner is not MISSING and syntax.replace_super(self.tree, first):
                self.extra[syntax.CLASS] = owner
                used.update((syntax.CLASS, first))

    def _run_in_function(
        self, used: set[str], extra: dict[str, object], *, is_async: bool, at_module: bool
    ) -> Any:
        names = self.names
        extra |= {name: self.extra[name] for name in (syntax.LOCALS, syntax.CLASS) if name in self.extra}
        class_name = names.enclosing_class() if names else None
        if class_name:
            used = {mangle(name, class_name) for name in used} | used
        known = {name for name in used if names is not None and names.knows(name)}
        parameters = known | extra.keys()
        assigned = syntax.assigned_names(self.tree, parameters, class_name, self.flags) - extra.keys()
        at_globals = assigned - known if at_module else set()
        code = syntax.function_code(
            self.tree,
            parameters=parameters | (assigned - at_globals),
            nonlocal_names=assigned - at_globals,
            global_names=at_globals,
            class_name=class_name,
            is_async=is_async,
            flags=self.flags,
        )
        cells = {name: self._cell(name, extra, known) for name in code.co_freevars}
        before = {name: _contents(cell) for name, cell in cells.items()}
        had_builtins = "__builtins__" in self.globals
        function = FUNCTION(code, self.globals, "<evaluate>", None, tuple(cells[n] for n in code.co_freevars))
        try:
            result = function()
            if is_async:
                from remora.values import awaiting  # late: few ever await

                result = awaiting.run(result)
        finally:
            if not had_builtins:
                self.globals.pop("__builtins__", None)
            for name, cell in cells.items():
                if name not in extra:
                    self._write_back(name, before[name], _contents(cell))
        return result if syntax.ends_in_expression(self.tree) else MISSING

    def _cell(self, name: str, extra: Mapping[str, object], known: set[str]) -> Any:
        if name in extra:
            return CELL(extra[name])
        value = MISSING
        if self.names is not None:
            value = self.names.read(name)
        if value is MISSING and name not in known:
            # `n = n + 1` with a global n: a person at a console means that n.
            value = dict.get(self.globals, name, MISSING)
            if value is MISSING:
                value = builtins_of(self.globals).get(name, MISSING)
        return CELL() if value is MISSING else CELL(value)

    def _write_back(self, name: str, before: Any, after: Any) -> None:
        if after is before or self.names is None:
            return
        if after is MISSING:
            self.names.unbind(name)
        else:
            self.names.bind(name, after)


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def _class_of_method(first_argument: Any, code: CodeType) -> Any:
    """The class that defines the method with this code, found from its first argument."""
    if first_argument is MISSING:
        return MISSING
    start = first_argument if is_class(first_argument) else type(first_argument)
    for owner in mro(start):
        for value in namespace(owner).values():
            function = value.__func__ if type(value) is classmethod or type(value) is staticmethod else value
            if type(function) is FUNCTION and function.__code__ is code:
                return owner
    return MISSING
