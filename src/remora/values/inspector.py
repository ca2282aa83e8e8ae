"""The Inspector: everything a session can look at, run or change in a stopped program.

Threads: each method runs on the thread the engine chose (`Engine.submit`), normally the stopped one the
handle belongs to. Handles are numbers counted up for the whole session, never reused; `forget()` makes all
but the source handles stale. The tables are only touched by single dict operations, so no lock is needed.

A handle leads to a Node. A node makes its children when asked and keeps what paging needs (a cursor, the names
given to keys); named children are listed anew after code of the program has run.
"""

from __future__ import annotations

from itertools import count as counter

from remora.engine.jobs import Interrupted
from remora.values import budget, completion, evaluation, exceptions, syntax
from remora.values.answers import (
    Completion,
    EvaluationFailed,
    ExceptionDetails,
    FrameDescription,
    Result,
    Scope,
    StaleHandle,
    Variable,
)
from remora.values.attributes import LEAVES, Layouts, named_children, of_namespace
from remora.values.child import Child, Group, Named, Section, is_special, ready
from remora.values.contents import Contents, contents_of
from remora.values.look import look
from remora.values.names import Names
from remora.values.sources import Sources
from remora.values.static import MISSING, type_name
from remora.values.text import Texts, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from remora.engine import StackEntry

# A client that does not page gets this many children and one more that holds the rest.
MAX_CHILDREN = 5000


class Inspector:
    """Looks at a stopped program. One per session.

    Every method but `describe_frame`, `source` and `forget` may run the program's code, and raises
    StaleHandle for a handle of before the last `forget()`. What the program's code raises never comes out
    of a look; evaluate, set_variable and set_expression report it as EvaluationFailed. `Interrupted` (the
    engine's) comes through everywhere except where a look can go on without the slow object.
    """

    def __init__(self) -> None:
        self._numbers = counter(1)
        self._nodes: dict[int, Node] = {}
        self._frames: dict[int, Frame] = {}
        self._frame_ids: dict[int, int] = {}  # id(frame) -> handle; the Frame keeps the frame alive
        self._stops: dict[int, dict[str, object]] = {}
        self._returned: dict[int, str] = {}
        self._sources = Sources()
        self._age = 0  # counts runs of the program's code, after which lists of names may be out of date

    def stopped(
        self,
        thread_id: int,
        *,
        returned: tuple[str, object] | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Note what the stop of this thread brought; call it once per stop, before `frame_handle`.

        `returned` becomes the 'Return value' scope of the thread's frame 0 (and `__return__` in its
        expressions), `exception` the variable `__exception__` there.
        """
        extra: dict[str, object] = {}
        self._returned.pop(thread_id, None)
        if returned is not None:
            self._returned[thread_id] = returned[0]
            extra["__return__"] = returned[1]
        if exception is not None:
            extra["__exception__"] = exception
        self._stops[thread_id] = extra

    def frame_handle(self, thread_id: int, index: int, entry: StackEntry) -> int:
        """Give the handle of a frame (DAP's frameId); the same frame gets the same one until `forget()`."""
        known = self._frame_ids.get(id(entry.frame))
        if known is not None:
            return known
        number = next(self._numbers)
        extra = self._stops.get(thread_id, {}) if index == 0 else {}
        returned = self._returned.get(thread_id, "") if index == 0 else ""
        self._frames[number] = Frame(entry, extra, returned)
        self._frame_ids[id(entry.frame)] = number
        return number

    def scopes(self, frame_id: int) -> list[Scope]:
        """List Locals, Closure, Globals and Return value, those that are there."""
        frame = self._frame(frame_id)
        found = []
        if "__return__" in frame.extra:
            found.append(self._scope(frame_id, "Return value", "returnValue", frame.returned_value))
        found.append(self._scope(frame_id, "Locals", "locals", frame.local_children))
        names = frame.names
        if names.is_function and names.free_names():
            found.append(self._scope(frame_id, "Closure", "closure", frame.free_children))
        if not names.is_module or names.hidden:
            found.append(self._scope(frame_id, "Globals", "globals", frame.global_children, expensive=True))
        return found

    def variables(
        self, handle: int, *, start: int = 0, count: int = 0, filter: str | None = None, hex: bool = False
    ) -> list[Variable]:
        """List children of a scope, a variable or a result; `count` 0 means all.

        Contents (items of a list, entries of a dict, members of a set) are the *indexed* children whatever
        their names look like, so that clients page them; attributes are the *named* ones and come first
        when `filter` is None. More than MAX_CHILDREN at once are not given: a last child holds the rest.
        """
        node = self._node(handle)
        shower = Shower(self, node, budget.LIST, hex=hex)
        if node.getter is not None:
            return [shower.opened()]
        start = max(start, 0)
        if node.rest is not None:
            if filter is not None and node.rest.filter not in (None, filter):
                return []
            start, filter, node = start + node.rest.start, node.rest.filter, node.rest.node
        named = node.named(self._age) if filter != "indexed" else None
        contents = node.contents if filter != "named" else None
        named_size = named.size() if named is not None else 0
        total = named_size + (contents.size() if contents is not None else 0)
        stop = min(total, start + count) if count > 0 else total
        cut = min(stop, start + MAX_CHILDREN)
        found = []
        if named is not None and start < named_size:
            found += shower.page(named.page(start, min(cut, named_size)))
        if contents is not None and cut > named_size:
            found += shower.page(contents.page(max(start - named_size, 0), cut - named_size))
        if cut < stop and count <= 0:
            rest = self._give(Node(node.frame_id, rest=Rest(node, cut, filter), quiet=node.quiet))
            found.append(Variable("…", f"{stop - cut} more", "", handle=rest, kind="virtual"))
        return found

    def evaluate(self, expression: str, frame_id: int | None, context: str, *, hex: bool = False) -> Result:
        """Run an expression or statements in a frame, or in `__main__`'s globals when `frame_id` is None.

        `context` is DAP's: watch, repl, hover, variables, clipboard; hover never runs the program's code.
        Raises EvaluationFailed.
        """
        names, extra = self._place(frame_id)
        if context == "hover":
            value = look(expression, names, extra)
        else:
            self._age += 1
            value = evaluation.run(expression, names, extra)
        if value is MISSING:
            return Result("", "", has_value=False)
        # Asking a console expression for children again must not repeat what it did.
        again = context != "repl" or syntax.is_path(expression)
        name = (
            (expression.strip() if syntax.is_path(expression) else f"({expression.strip()})")
            if again
            else None
        )
        node = Node(frame_id, value, name, quiet=context == "hover")
        shower = Shower(self, node, budget.BY_CONTEXT.get(context, budget.LIST), hex=hex)
        return shower.result(value, name)

    def set_variable(self, handle: int, name: str, value: str, *, hex: bool = False) -> Result:
        """Give the child `name` of `handle` the value of the expression `value`. Raises EvaluationFailed."""
        node = self._node(handle)
        if node.rest is not None:
            node = node.rest.node
        child = node.getter_child() if node.getter is not None else node.find(name, self._age)
        if child is None:
            raise EvaluationFailed(f"there is no variable named {name!r} here")
        if child.setter is None:
            raise EvaluationFailed(f"{name!r} cannot be set: {child.refusal}")
        new = self._value_of(value, node.frame_id)
        self._age += 1
        run_setter(child.setter, new)
        if child.getter is None:
            # Show what is there now: the program's __setitem__ or __setattr__ may have made it something else.
            after = node.find(name, self._age)
            if after is not None and after.getter is None and after.value is not MISSING:
                new, child = after.value, after
        return Shower(self, node, budget.LIST, hex=hex).result(new, child.expression)

    def set_expression(
        self, expression: str, value: str, frame_id: int | None, *, hex: bool = False
    ) -> Result:
        """Assign the value of `value` to the target `expression`. Raises EvaluationFailed."""
        names, extra = self._place(frame_id)
        statement = syntax.assignment(expression, value)
        self._age += 1
        evaluation.run(statement, names, extra)
        new = evaluation.run(expression, names, extra)
        return Shower(self, Node(frame_id), budget.LIST, hex=hex).result(new, expression.strip())

    def completions(self, text: str, column: int, line: int, frame_id: int | None) -> list[Completion]:
        """Propose what may stand at `column` (0-based, in characters) of line `line` (0-based) of `text`."""
        names, extra = self._place(frame_id)
        return completion.complete(text, column, line, names, extra)

    def exception_info(self, exception: BaseException) -> ExceptionDetails:
        """Take an exception apart: chain, groups, notes, stack trace."""
        known = any(extra.get("__exception__") is exception for extra in self._stops.values())
        return exceptions.details(exception, "__exception__" if known else None)

    def describe_frame(self, entry: StackEntry) -> FrameDescription:
        """Name a frame and say where its source is. Runs no user code, and is cheap."""
        return self._sources.describe(entry)

    def register_source(self, code: CodeType, text: str) -> int:
        """Remember the text that `code` (and the code inside it) was compiled from; its source handle."""
        return self._sources.register(code, text)

    def source(self, handle: int) -> str:
        """Give the text behind a source handle; it survives `forget()`. Raises StaleHandle."""
        return self._sources.text(handle)

    def forget(self) -> None:
        """Drop every handle but those of sources: the program runs on."""
        self._nodes.clear()
        self._frames.clear()
        self._frame_ids.clear()
        self._stops.clear()
        self._returned.clear()

    def give(self, node: Node) -> int:
        number = next(self._numbers)
        self._nodes[number] = node
        return number

    _give = give

    def ran_code(self) -> None:
        """Note that code of the program ran: lists of names may be out of date."""
        self._age += 1

    def _node(self, handle: int) -> Node:
        node = self._nodes.get(handle)
        if node is None:
            raise StaleHandle(
                f"variable handle {handle} is not valid: the program has run since it was given"
            )
        return node

    def _frame(self, frame_id: int) -> Frame:
        frame = self._frames.get(frame_id)
        if frame is None:
            raise StaleHandle(f"frame handle {frame_id} is not valid: the program has run since it was given")
        return frame

    def _place(self, frame_id: int | None) -> tuple[Names | None, dict[str, object]]:
        if frame_id is None:
            return None, {}
        frame = self._frame(frame_id)
        return frame.names, frame.extra

    def _value_of(self, source: str, frame_id: int | None) -> object:
        names, extra = self._place(frame_id)
        tree = syntax.parse(source)
        if len(tree.body) != 1 or not syntax.ends_in_expression(tree):
            raise EvaluationFailed(f"the value is not an expression: {source.strip()[:80]}")
        return evaluation.run(source, names, extra)

    def _scope(
        self, frame_id: int, name: str, kind: str, make: Callable[[], Named], *, expensive: bool = False
    ) -> Scope:
        frame = self._frame(frame_id)
        handle = frame.scope_handles.get(kind)
        if handle is None or handle not in self._nodes:
            handle = frame.scope_handles[kind] = self._give(Node(frame_id, make_named=make))
        named = self._nodes[handle].named(self._age)
        return Scope(name, kind, handle, named_count=named.size() if named else 0, expensive=expensive)


class Frame:
    """A frame on display."""

    __slots__ = ("entry", "extra", "names", "returned", "scope_handles")

    def __init__(self, entry: StackEntry, extra: dict[str, object], returned: str) -> None:
        self.entry = entry
        self.names = Names(entry.frame)
        self.extra = extra
        self.returned = returned
        self.scope_handles: dict[str, int] = {}

    def local_children(self) -> Named:
        names = self.names
        if names.is_module and not names.hidden:
            named = of_namespace(names.globals, expression_of, names.globals.__setitem__)
            named.sections[:0] = self._exception()
            return named
        own = names.local_names()
        plain = [name for name in own if not is_special(name) and not name.startswith(".")]
        special = [name for name in own if is_special(name) or name.startswith(".")]
        return Named(Section(plain, self._local), *self._exception(), Section(special, self._local))

    def free_children(self) -> Named:
        return Named(Section(self.names.free_names(), self._local))

    def global_children(self) -> Named:
        namespace = self.names.globals
        return of_namespace(namespace, self._global_expression, namespace.__setitem__)

    def returned_value(self) -> Named:
        child = Child(
            f"{self.returned}()",
            self.extra["__return__"],
            expression="__return__",
            refusal="the function has returned already",
        )
        return Named(ready([child]))

    def _exception(self) -> list[Section]:
        error = self.extra.get("__exception__")
        if error is None:
            return []
        child = Child("__exception__", error, expression="__exception__", refusal="it was raised already")
        return [ready([child])]

    def _local(self, name: str) -> Child:
        names = self.names
        return Child(
            name,
            names.read(name),
            expression=expression_of(name),
            setter=lambda value: names.bind(name, value),
        )

    def _global_expression(self, name: str) -> str | None:
        if name in self.extra or self.names.knows(name):
            return f"globals()[{name!r}]"  # hidden by a local of the same name
        return expression_of(name)


def expression_of(name: str) -> str | None:
    """A variable's name as an expression; None for names made by the compiler or by hand."""
    return name if name.isidentifier() else None


class Rest:
    """The children of a node from some place on."""

    __slots__ = ("filter", "node", "start")

    def __init__(self, node: Node, start: int, filter: str | None) -> None:
        self.node = node
        self.start = start
        self.filter = filter


class Node:
    """What a handle leads to: an object, a scope or group, a getter not yet run, or the rest of a node."""

    __slots__ = (
        "_age",
        "_named",
        "contents",
        "expression",
        "frame_id",
        "getter",
        "make_named",
        "quiet",
        "rest",
    )

    def __init__(
        self,
        frame_id: int | None,
        obj: object = MISSING,
        expression: str | None = None,
        *,
        make_named: Callable[[], Named] | None = None,
        getter: Child | None = None,
        rest: Rest | None = None,
        quiet: bool = False,
    ) -> None:
        self.frame_id = frame_id
        self.expression = expression
        self.getter = getter
        self.rest = rest
        self.quiet = quiet  # its children are shown without running code: they hang on a hover
        self.make_named = make_named
        self.contents: Contents | None = None
        if obj is not MISSING:
            self.contents = guarded(lambda: contents_of(obj, expression))
            self.make_named = lambda: guarded(lambda: named_children(obj, expression, {})) or Named()
        self._named: Named | None = None
        self._age = -1

    def named(self, age: int) -> Named | None:
        if self.make_named is not None and self._age != age:
            self._named = self.make_named()
            self._age = age
        return self._named

    def find(self, name: str, age: int) -> Child | None:
        named = self.named(age)
        found = named.find(name) if named is not None else None
        if found is None and self.contents is not None:
            found = self.contents.find(name)
        return found

    def getter_child(self) -> Child | None:
        return self.getter


class Shower:
    """Turns children into Variables within one budget."""

    __slots__ = ("inspector", "layouts", "node", "texts")

    def __init__(self, inspector: Inspector, node: Node, limits: budget.Budget, *, hex: bool) -> None:
        self.inspector = inspector
        self.node = node
        self.texts = Texts(limits, hex=hex, run_user_code=not node.quiet)
        self.layouts: Layouts = {}

    def page(self, children: Iterator[Child]) -> list[Variable]:
        found = []
        while True:
            child: Child | None = None
            try:
                child = next(children, None)
                if child is None:
                    return found
                variable = self.variable(child)
            except Interrupted:
                # Struck between two calls of user code: the rest is shown without any.
                self.texts.run_user_code = False
                if child is None:
                    continue
                variable = self.variable(child)
            found.append(variable)

    def variable(self, child: Child) -> Variable:
        if child.getter is not None:
            return Variable(
                child.name,
                "…",
                child.type_name,
                evaluate_name=child.expression,
                handle=self.inspector.give(Node(self.node.frame_id, getter=child, quiet=False)),
                lazy=True,
                kind=child.kind,
                attributes=child.attributes,
                visibility=child.visibility,
            )
        value = child.value
        if type(value) is Group:
            size = value.named.size()
            node = Node(self.node.frame_id, make_named=lambda: value.named, quiet=self.node.quiet)
            return Variable(
                child.name, "", "", handle=self.inspector.give(node), named_count=size, kind="virtual"
            )
        handle, named_count, indexed_count = self._children(value, child.expression)
        return Variable(
            child.name,
            self.texts.text(value) if value is not MISSING else "<unbound>",
            type_name(type(value)) if value is not MISSING else "",
            evaluate_name=child.expression,
            handle=handle,
            named_count=named_count,
            indexed_count=indexed_count,
            kind=child.kind,
            attributes=(*child.attributes, *_raw(value)),
            visibility=child.visibility,
        )

    def result(self, value: object, expression: str | None) -> Result:
        handle, named_count, indexed_count = self._children(value, expression)
        text = self.texts.text(value)
        return Result(
            text,
            type_name(type(value)),
            handle=handle,
            named_count=named_count,
            indexed_count=indexed_count,
            attributes=_raw(value),
        )

    def opened(self) -> Variable:
        """Run the getter of a lazy child."""
        child = self.node.getter
        assert child is not None
        assert child.getter is not None
        self.inspector.ran_code()
        try:
            value = child.getter()
        except Interrupted:
            raise
        except BaseException as error:  # boundary: a property of the program
            return Variable(
                child.name,
                f"<{one_line(error)}>",
                type_name(type(error)),
                evaluate_name=child.expression,
                handle=self.inspector.give(Node(self.node.frame_id, error)),
                kind="property",
                attributes=("failedEvaluation", "readOnly"),
                visibility=child.visibility,
            )
        seen = Child(
            child.name,
            value,
            expression=child.expression,
            setter=child.setter,
            refusal=child.refusal,
            kind=child.kind,
            attributes=tuple(a for a in child.attributes if a != "readOnly"),
        )
        return self.variable(seen)

    def _children(self, value: object, expression: str | None) -> tuple[int, int, int]:
        if value is MISSING or id(type(value)) in LEAVES:
            return 0, 0, 0
        named = guarded(lambda: named_children(value, expression, self.layouts))
        contents = guarded(lambda: contents_of(value, expression))
        named_count = named.size() if named is not None else 0
        indexed_count = (guarded(contents.size) or 0) if contents is not None else 0
        if not named_count and not indexed_count:
            return 0, 0, 0
        node = Node(self.node.frame_id, value, expression, quiet=self.node.quiet)
        return self.inspector.give(node), named_count, indexed_count


def guarded[T](make: Callable[[], T]) -> T | None:
    """Look at an object; None where its type fools even the C descriptors (extension types)."""
    try:
        return make()
    except Exception:  # boundary: C code of an extension type behind an attribute
        return None


def run_setter(setter: Callable[[object], None], value: object) -> None:
    """Bind a value; what the program or Python objects to becomes an EvaluationFailed."""
    try:
        setter(value)
    except Interrupted:
        raise
    except BaseException as error:  # boundary: __setattr__, __setitem__, property setters of the program
        raise EvaluationFailed(one_line(error), exception=error) from None


def _raw(value: object) -> tuple[str, ...]:
    return ("rawString",) if type(value) is str else ()
