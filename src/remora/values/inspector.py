"""The Inspector: everything a session can look at, run or change in a stopped program.

Threads: each method runs on the thread the engine chose (`Engine.submit`), normally the stopped one the
handle belongs to. Handles are numbers counted up for the whole session, never reused; `forget()` makes all
but the source handles stale. The tables are only touched by single dict operations, so no lock is needed.

A handle leads to a Node. A node makes its children when asked and keeps what paging needs (a cursor, the
names given to keys); named children are listed anew after code of the program has run.

An idle agent must stay small, so what is needed only once the program has stopped is imported then; `warm_up`
does it ahead of time.
"""

from __future__ import annotations

from itertools import count as counter

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
from remora.values.sources import Sources
from remora.values.static import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from remora.engine import StackEntry
    from remora.values.child import Named
    from remora.values.frame import Frame
    from remora.values.names import Names
    from remora.values.node import Node

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
        self._of_thread: dict[int, list[int]] = {}  # thread id -> handles of its frames
        self._stops: dict[int, dict[str, object]] = {}
        self._returned: dict[int, str] = {}
        self._sources = Sources()
        self._locations: dict[int, tuple[str, int]] = {}
        self._age = 0  # counts runs of the program's code, after which lists of names may be out of date

    def warm_up(self) -> None:
        """Import what the first stop will need, before a file of the program can be in the way of it."""
        from remora.values import evaluation, frame, node

        _ = evaluation, frame, node

    def stopped(
        self,
        thread_id: int,
        *,
        returned: tuple[str, object] | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Note what the stop of this thread brought; call it once per stop, before `frame_handle`.

        `returned` becomes the 'Return value' scope of the thread's frame 0 (and `__return__` in its
        expressions), `exception` the variable `__exception__` there. Handles of frames that the thread's
        stop before gave are stale: it has run, though the others may have stood.
        """
        for number in self._of_thread.pop(thread_id, ()):
            before = self._frames.pop(number, None)
            if before is not None:
                self._frame_ids.pop(id(before.entry.frame), None)
        self._age += 1
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
        from remora.values.frame import Frame

        known = self._frame_ids.get(id(entry.frame))
        if known is not None:
            return known
        number = next(self._numbers)
        extra = self._stops.get(thread_id, {}) if index == 0 else {}
        returned = self._returned.get(thread_id, "") if index == 0 else ""
        self._frames[number] = Frame(entry, extra, returned)
        self._frame_ids[id(entry.frame)] = number
        self._of_thread.setdefault(thread_id, []).append(number)
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
        from remora.values.budget import LIST
        from remora.values.node import Node, Rest, Shower

        node = self._node(handle)
        shower = Shower(self, node, LIST, hex=hex)
        if node.getter is not None:
            return [shower.opened()]
        start = max(start, 0)
        if node.rest is not None:
            if filter is not None and node.rest.filter not in (None, filter):
                return []
            start, filter, node = start + node.rest.start, node.rest.filter, node.rest.node
        named = node.named(self._age, anew=start == 0) if filter != "indexed" else None
        contents = node.contents if filter != "named" else None
        named_size = named.size() if named is not None else 0
        total = named_size + (contents.size() if contents is not None else 0)
        stop = min(total, start + count) if count > 0 else total
        cut = min(stop, start + MAX_CHILDREN)
        found = []
        if named is not None and start < named_size:
            found += shower.page(named.page(start, min(cut, named_size)))
        if contents is not None and cut > named_size:
            found += shower.page(contents.page(max(start - named_size, 0), cut - named_size, shower.texts))
        if cut < stop and count <= 0:
            rest = self.give(Node(node.frame_id, rest=Rest(node, cut, filter), quiet=node.quiet))
            found.append(Variable("…", f"{stop - cut} more", "", handle=rest, kind="virtual"))
        return found

    def evaluate(
        self,
        expression: str,
        frame_id: int | None,
        context: str,
        *,
        hex: bool = False,
        ran: Callable[[], None] | None = None,
    ) -> Result:
        """Run an expression or statements in a frame, or in `__main__`'s globals when `frame_id` is None.

        `context` is DAP's: watch, repl, hover, variables, clipboard; hover never runs the program's code.
        `ran` is called between running the expression and making the text of its value.
        Raises EvaluationFailed.
        """
        from remora.values import evaluation, syntax
        from remora.values.budget import BY_CONTEXT, LIST
        from remora.values.look import look
        from remora.values.node import Node, Shower

        names, extra = self._place(frame_id)
        if context == "hover":
            value = look(expression, names, extra)
        else:
            self._age += 1
            value = evaluation.run(expression, names, extra)
        if ran is not None:
            ran()
        if value is MISSING:
            return Result("", "", has_value=False)
        is_path = syntax.is_path(expression)
        # Asking a console expression for its children again must not repeat what it did.
        name = None if context == "repl" and not is_path else syntax.operand(expression, is_path=is_path)
        node = Node(frame_id, value, name, quiet=context == "hover")
        shower = Shower(self, node, BY_CONTEXT.get(context, LIST), hex=hex)
        return shower.result(value, name)

    def set_variable(self, handle: int, name: str, value: str, *, hex: bool = False) -> Result:
        """Give the child `name` of `handle` the value of the expression `value`. Raises EvaluationFailed."""
        from remora.values.budget import LIST
        from remora.values.node import Shower

        node = self._node(handle)
        if node.rest is not None:
            node = node.rest.node
        child = node.getter if node.getter is not None else node.find(name, self._age)
        if child is None:
            raise EvaluationFailed(f"there is no variable named {name!r} here")
        if child.setter is None:
            raise EvaluationFailed(f"{name!r} cannot be set: {child.refusal}")
        new = self._value_of(value, node.frame_id)
        self._age += 1
        run_setter(child.setter, new)
        if child.getter is None:
            # Show what is there now: the program's __setattr__ may have made something else of it.
            after = node.find(name, self._age)
            if after is not None and after.getter is None and after.value is not MISSING:
                new, child = after.value, after
        return Shower(self, node, LIST, hex=hex).result(new, child.expression)

    def set_expression(
        self, expression: str, value: str, frame_id: int | None, *, hex: bool = False
    ) -> Result:
        """Assign the value of `value` to the target `expression`. Raises EvaluationFailed."""
        from remora.values import evaluation, syntax
        from remora.values.budget import LIST
        from remora.values.node import Node, Shower

        names, extra = self._place(frame_id)
        statement = syntax.assignment(expression, value)
        self._age += 1
        evaluation.run(statement, names, extra)
        new = evaluation.run(expression, names, extra)
        return Shower(self, Node(frame_id), LIST, hex=hex).result(new, expression.strip())

    def completions(self, text: str, column: int, line: int, frame_id: int | None) -> list[Completion]:
        """Propose what may stand at `column` (0-based, in characters) of line `line` (0-based) of `text`."""
        from remora.values import completion

        names, extra = self._place(frame_id)
        return completion.complete(text, column, line, names, extra)

    def exception_info(self, exception: BaseException, max_frames: int = 200) -> ExceptionDetails:
        """Take an exception apart: chain, groups, notes, stack trace (0 frames: all of them)."""
        from remora.values import exceptions

        known = any(extra.get("__exception__") is exception for extra in self._stops.values())
        return exceptions.details(exception, "__exception__" if known else None, max_frames)

    def describe_frame(self, entry: StackEntry) -> FrameDescription:
        """Name a frame and say where its source is. Runs no user code, and is cheap."""
        return self._sources.describe(entry)

    def register_source(self, code: CodeType, text: str) -> int:
        """Remember the text that `code` (and the code inside it) was compiled from; its source handle."""
        return self._sources.register(code, text)

    def source(self, handle: int) -> str:
        """Give the text behind a source handle; it survives `forget()`. Raises StaleHandle."""
        return self._sources.text(handle)

    def location(self, handle: int) -> tuple[str, int]:
        """Give path and line behind the location of a variable or result. Raises StaleHandle."""
        found = self._locations.get(handle)
        if found is None:
            raise StaleHandle(handle)
        return found

    def forget(self) -> None:
        """Drop every handle but those of sources: the program runs on."""
        self._locations.clear()
        self._nodes.clear()
        self._frames.clear()
        self._frame_ids.clear()
        self._of_thread.clear()
        self._stops.clear()
        self._returned.clear()

    def give(self, node: Node) -> int:
        """Keep a node under a new handle."""
        number = next(self._numbers)
        self._nodes[number] = node
        return number

    def give_location(self, filename: str, line: int) -> int:
        """Keep a place in a file under a new handle; 0 if there is no such file."""
        path = self._sources.file(filename)
        if path is None:
            return 0
        number = next(self._numbers)
        self._locations[number] = (path, line)
        return number

    def ran_code(self) -> None:
        """Note that code of the program ran: lists of names may be out of date."""
        self._age += 1

    def _node(self, handle: int) -> Node:
        node = self._nodes.get(handle)
        if node is None:
            raise StaleHandle(handle)
        return node

    def _frame(self, frame_id: int) -> Frame:
        frame = self._frames.get(frame_id)
        if frame is None:
            raise StaleHandle(frame_id)
        return frame

    def _place(self, frame_id: int | None) -> tuple[Names | None, dict[str, object]]:
        if frame_id is None:
            return None, {}
        frame = self._frame(frame_id)
        return frame.names, frame.extra

    def _value_of(self, source: str, frame_id: int | None) -> object:
        from remora.values import evaluation, syntax

        names, extra = self._place(frame_id)
        tree = syntax.parse(source)
        if len(tree.body) != 1 or not syntax.ends_in_expression(tree):
            raise EvaluationFailed(f"the value is not an expression: {source.strip()[:80]}")
        return evaluation.run(source, names, extra)

    def _scope(
        self, frame_id: int, name: str, kind: str, make: Callable[[], Named], *, expensive: bool = False
    ) -> Scope:
        from remora.values.node import Node

        frame = self._frame(frame_id)
        handle = frame.scope_handles.get(kind)
        if handle is None or handle not in self._nodes:
            handle = frame.scope_handles[kind] = self.give(Node(frame_id, make_named=make))
        named = self._nodes[handle].named(self._age)
        return Scope(name, kind, handle, named_count=named.size() if named else 0, expensive=expensive)


def run_setter(setter: Callable[[object], None], value: object) -> None:
    """Bind a value; what the program or Python objects to becomes an EvaluationFailed."""
    from remora.engine.jobs import Interrupted
    from remora.values.text import one_line

    try:
        setter(value)
    except Interrupted:
        raise
    except BaseException as error:  # boundary: __setattr__, __setitem__, property setters of the program
        raise EvaluationFailed(one_line(error), exception=error) from None
