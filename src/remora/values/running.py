"""Functions and what runs in frames of its own: closures, generators, coroutines."""

from __future__ import annotations

from remora.values.child import Child, Group, Named, Section, attribute, is_special, ready
from remora.values.names import Names
from remora.values.static import FUNCTION, MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any


def _generator() -> Any:
    yield


async def _coroutine() -> None: ...


async def _async_generator() -> Any:
    yield


_started = _coroutine()
COROUTINE = type(_started)
_started.close()
GENERATOR = type(_generator())
ASYNC_GENERATOR = type(_async_generator())
# Prefix of the attributes, and what the thing it waits for is called.
KINDS = (
    (GENERATOR, "gi", "gi_yieldfrom"),
    (COROUTINE, "cr", "cr_await"),
    (ASYNC_GENERATOR, "ag", "ag_await"),
)


def sections(obj: Any, expression: str | None) -> list[Section]:
    """The made-up children that show what a function holds or a generator is doing; mostly none."""
    cls = type(obj)
    if cls is FUNCTION:
        return _closure(obj, expression)
    for kind, prefix, awaited in KINDS:
        if cls is kind:
            return _running(obj, expression, prefix, awaited)
    return []


def state_of(obj: Any, prefix: str) -> str:
    """created, running, suspended or closed."""
    frame = getattr(obj, f"{prefix}_frame")
    if getattr(obj, f"{prefix}_running"):
        return "running"
    if frame is None:
        return "closed"
    return "suspended" if getattr(obj, f"{prefix}_suspended", frame.f_lasti >= 0) else "created"


def _running(obj: Any, expression: str | None, prefix: str, awaited: str) -> list[Section]:
    frame = getattr(obj, f"{prefix}_frame")
    made = [Child("state", state_of(obj, prefix), kind="virtual", attributes=("readOnly",))]
    if frame is not None:
        made.append(Child("line", frame.f_lineno, kind="virtual", attributes=("readOnly",)))
        target = getattr(obj, awaited)
        if target is not None:
            made.append(
                Child(
                    "awaiting",
                    target,
                    expression=attribute(expression, awaited, type(obj)),
                    kind="virtual",
                    attributes=("readOnly",),
                )
            )
        inside = frame_locals(frame, attribute(expression, f"{prefix}_frame", type(obj)))
        if inside.size():
            made.append(Child("locals", Group(inside), kind="virtual"))
    return [ready(made)]


def frame_locals(frame: FrameType, expression: str | None) -> Named:
    """The locals of a frame that is not on any stack, named through the frame."""
    names = Names(frame)
    mapping = f"{expression}.f_locals" if expression else None

    def make(name: str) -> Child:
        found = f"{mapping}[{name!r}]" if mapping else None
        return Child(name, names.read(name), expression=found, setter=lambda value: names.bind(name, value))

    return Named(Section([name for name in names.local_names() if not is_special(name)], make))


def _closure(function: Any, expression: str | None) -> list[Section]:
    cells = function.__closure__
    if not cells:
        return []
    values: dict[str, tuple[int, Any]] = {}
    for index, (name, cell) in enumerate(zip(function.__code__.co_freevars, cells, strict=False)):
        try:
            values[name] = (index, cell.cell_contents)
        except ValueError:
            values[name] = (index, MISSING)

    def make(name: str) -> Child:
        index, value = values[name]
        found = f"{expression}.__closure__[{index}].cell_contents" if expression else None
        return Child(
            name,
            value,
            expression=found,
            setter=lambda new: setattr(cells[index], "cell_contents", new),
        )

    bound = [name for name, (_, value) in values.items() if value is not MISSING]
    return [ready([Child("closure", Group(Named(Section(bound, make))), kind="virtual")])] if bound else []
