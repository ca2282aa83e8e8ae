"""What a handle leads to, and turning children into the Variables of an answer."""

from __future__ import annotations

from remora.engine.jobs import Interrupted
from remora.values.answers import Result, Variable
from remora.values.attributes import LEAVES, Layouts, named_children
from remora.values.child import Child, Group, Named
from remora.values.contents import Contents, contents_of
from remora.values.places import place_of
from remora.values.static import MISSING, type_name
from remora.values.text import Texts, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from remora.values.budget import Budget

    class Handles(Protocol):
        """Who keeps the nodes: the Inspector."""

        def give(self, node: Node) -> int: ...
        def give_location(self, filename: str, line: int) -> int: ...
        def ran_code(self) -> None: ...


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

    def named(self, age: int, *, anew: bool = False) -> Named | None:
        """The named children, listed again when code of the program has run since, or when asked."""
        if self.make_named is not None and (anew or self._age != age):
            self._named = self.make_named()
            self._age = age
        return self._named

    def find(self, name: str, age: int) -> Child | None:
        named = self.named(age)
        found = named.find(name) if named is not None else None
        if found is None and self.contents is not None:
            found = self.contents.find(name)
        return found


class Shower:
    """Turns children into Variables within one budget."""

    __slots__ = ("handles", "layouts", "node", "texts")

    def __init__(self, handles: Handles, node: Node, limits: Budget, *, hex: bool) -> None:
        self.handles = handles
        self.node = node
        self.texts = Texts(limits, hex=hex, run_user_code=not node.quiet)
        self.layouts: Layouts = {}

    def page(self, children: Iterator[Child]) -> list[Variable]:
        found: list[Variable] = []
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
                handle=self.handles.give(Node(self.node.frame_id, getter=child, quiet=False)),
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
                child.name, "", "", handle=self.handles.give(node), named_count=size, kind="virtual"
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
            location=self._location(value),
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
            location=self._location(value),
        )

    def opened(self) -> Variable:
        """Run the getter of a lazy child."""
        child = self.node.getter
        assert child is not None
        assert child.getter is not None
        self.handles.ran_code()
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
                handle=self.handles.give(Node(self.node.frame_id, error)),
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

    def _location(self, value: object) -> int:
        place = guarded(lambda: place_of(value))
        return self.handles.give_location(*place) if place is not None else 0

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
        return self.handles.give(node), named_count, indexed_count


def guarded[T](make: Callable[[], T]) -> T | None:
    """Look at an object; None where its type fools even the C descriptors (extension types)."""
    try:
        return make()
    except Exception:  # boundary: C code of an extension type behind an attribute
        return None


def _raw(value: object) -> tuple[str, ...]:
    return ("rawString",) if type(value) is str else ()
