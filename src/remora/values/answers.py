"""What the values layer answers: plain data, no reference to the program's objects.

Everything here can be kept, compared and sent after the program has moved on; only the handles in it
go stale. Columns and lengths count Python characters; the agent converts to UTF-16 at its edge.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class StaleHandle(LookupError):
    """A handle from before the last resume, or one that was never given; its argument is the number."""

    def __str__(self) -> str:
        return (
            f"handle {self.args[0] if self.args else ''} is not valid: the program has run since it was given"
        )


class EvaluationFailed(Exception):
    """The user's expression, value or assignment failed; says why in words a user knows.

    `str()` is one line such as ``NameError: name 'x' is not defined``. `trace` is a traceback text with
    the program's frames and the evaluated source only, empty when no user code ran. `line` and `column`
    (1-based line, 0-based character) say where a SyntaxError is. `exception` is the user's own, whose
    `__traceback__` starts at the user's first frame, or None when remora itself refused.
    """

    def __init__(
        self,
        message: str,
        *,
        trace: str = "",
        exception: BaseException | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.trace = trace
        self.exception = exception
        self.line = line
        self.column = column


class _Answer:
    """Shared repr and equality of the slotted answers below (dataclasses are too dear in the debuggee)."""

    __slots__: tuple[str, ...] = ()

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]


class Scope(_Answer):
    """One group of names in a frame. `kind`: locals, closure, globals or returnValue."""

    __slots__ = ("expensive", "handle", "indexed_count", "kind", "name", "named_count")

    def __init__(
        self,
        name: str,
        kind: str,
        handle: int,
        *,
        named_count: int,
        indexed_count: int = 0,
        expensive: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.handle = handle
        self.named_count = named_count
        self.indexed_count = indexed_count
        self.expensive = expensive


class Variable(_Answer):
    """One child: a variable, an attribute, an item.

    `handle` is 0 for a leaf. When `lazy`, nothing has been run: `variables(handle)` runs the getter and
    answers exactly one Variable with the value. `kind` (data, property, method, class, virtual),
    `attributes` (readOnly, rawString, hasSideEffects, static, …) and `visibility` (public, private,
    internal) are DAP's VariablePresentationHint words. `location` is the handle of where the value was
    written, 0 if nowhere.
    """

    __slots__ = (
        "attributes",
        "evaluate_name",
        "handle",
        "indexed_count",
        "kind",
        "lazy",
        "location",
        "name",
        "named_count",
        "text",
        "type_name",
        "visibility",
    )

    def __init__(
        self,
        name: str,
        text: str,
        type_name: str,
        *,
        evaluate_name: str | None = None,
        handle: int = 0,
        named_count: int = 0,
        indexed_count: int = 0,
        lazy: bool = False,
        kind: str = "data",
        attributes: Sequence[str] = (),
        visibility: str = "public",
        location: int = 0,
    ) -> None:
        self.name = name
        self.text = text
        self.type_name = type_name
        self.evaluate_name = evaluate_name
        self.handle = handle
        self.named_count = named_count
        self.indexed_count = indexed_count
        self.lazy = lazy
        self.kind = kind
        self.attributes = tuple(attributes)
        self.visibility = visibility
        self.location = location


class Result(_Answer):
    """What evaluate, set_variable and set_expression answer.

    `has_value` is False after statements that leave no value (`x = 1`); text is then empty.
    """

    __slots__ = (
        "attributes",
        "handle",
        "has_value",
        "indexed_count",
        "kind",
        "location",
        "named_count",
        "text",
        "type_name",
    )

    def __init__(
        self,
        text: str,
        type_name: str,
        *,
        handle: int = 0,
        named_count: int = 0,
        indexed_count: int = 0,
        kind: str = "data",
        attributes: Sequence[str] = (),
        has_value: bool = True,
        location: int = 0,
    ) -> None:
        self.text = text
        self.type_name = type_name
        self.handle = handle
        self.named_count = named_count
        self.indexed_count = indexed_count
        self.kind = kind
        self.attributes = tuple(attributes)
        self.has_value = has_value
        self.location = location


class Completion(_Answer):
    """One proposal: replace `length` characters from column `start` (0-based, in its line) by `text`.

    `type` is a DAP CompletionItemType: method, function, class, field, variable, module, property,
    keyword, value.
    """

    __slots__ = ("detail", "label", "length", "sort_text", "start", "text", "type")

    def __init__(
        self,
        label: str,
        type: str,
        *,
        start: int,
        length: int,
        text: str | None = None,
        detail: str = "",
        sort_text: str = "",
    ) -> None:
        self.label = label
        self.type = type
        self.text = label if text is None else text
        self.start = start
        self.length = length
        self.detail = detail
        self.sort_text = sort_text or label


class ExceptionDetails(_Answer):
    """An exception, taken apart; `inner` are the causes, the context and the members of a group.

    `relation` says how it hangs on its parent: "" (the root), cause, context or member.
    `description` is one line, `stack_trace` the whole text as Python would print it (the user's frames).
    """

    __slots__ = (
        "description",
        "evaluate_name",
        "full_type_name",
        "inner",
        "message",
        "notes",
        "relation",
        "stack_trace",
        "type_name",
    )

    def __init__(
        self,
        type_name: str,
        full_type_name: str,
        message: str,
        *,
        description: str,
        stack_trace: str,
        notes: Sequence[str] = (),
        relation: str = "",
        inner: Sequence[ExceptionDetails] = (),
        evaluate_name: str | None = None,
    ) -> None:
        self.type_name = type_name
        self.full_type_name = full_type_name
        self.message = message
        self.description = description
        self.stack_trace = stack_trace
        self.notes = tuple(notes)
        self.relation = relation
        self.inner = tuple(inner)
        self.evaluate_name = evaluate_name


class FrameDescription(_Answer):
    """Names a frame and says where its text is.

    Exactly one of `source_path` (an existing file) and `source_handle` (ask `source()`) is set, or
    neither, when no text can be had; `source_name` is always fit to be shown. `origin` says what the
    text is when it is not a file ("inside archive.zip", "exec'd code", …).
    """

    __slots__ = ("module_name", "name", "origin", "source_handle", "source_name", "source_path")

    def __init__(
        self,
        name: str,
        module_name: str,
        *,
        source_name: str,
        source_path: str | None = None,
        source_handle: int = 0,
        origin: str = "",
    ) -> None:
        self.name = name
        self.module_name = module_name
        self.source_name = source_name
        self.source_path = source_path
        self.source_handle = source_handle
        self.origin = origin
