"""An exception taken apart: what it is, what it says, what led to it."""

from __future__ import annotations

from remora.values.answers import ExceptionDetails
from remora.values.static import exception_field, full_type_name, group_members, type_name
from remora.values.text import exception_message, one_line, printable
from remora.values.tracebacks import MAX_FRAMES, notes_of, stack_text

# Of the whole tree; a chain or group beyond that is told by the text of the stack.
MAX_EXCEPTIONS = 100
MAX_MESSAGE = 10_000


def details(
    error: BaseException, evaluate_name: str | None = None, max_frames: int = MAX_FRAMES
) -> ExceptionDetails:
    """Describe an exception, its chain and its members; each one appears once."""
    return _details(error, "", set(), evaluate_name, max_frames)


def _details(
    error: BaseException, relation: str, seen: set[int], evaluate_name: str | None, max_frames: int
) -> ExceptionDetails:
    seen.add(id(error))
    cls = type(error)
    message = exception_message(error)
    inner = []
    for related, how, suffix in _related(error):
        if id(related) not in seen and len(seen) < MAX_EXCEPTIONS:
            name = f"{evaluate_name}.{suffix}" if evaluate_name else None
            inner.append(_details(related, how, seen, name, max_frames))
    return ExceptionDetails(
        type_name(cls),
        full_type_name(cls),
        message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…",
        description=one_line(error),
        stack_trace=stack_text(error, limit=max_frames),
        notes=[printable(note) for note in notes_of(error)],
        relation=relation,
        inner=inner,
        evaluate_name=evaluate_name,
    )


def _related(error: BaseException) -> list[tuple[BaseException, str, str]]:
    found = []
    cause, context = exception_field(error, "__cause__"), exception_field(error, "__context__")
    if cause is not None:
        found.append((cause, "cause", "__cause__"))
    elif context is not None and not exception_field(error, "__suppress_context__"):
        found.append((context, "context", "__context__"))
    found.extend(
        (member, "member", f"exceptions[{index}]") for index, member in enumerate(group_members(error))
    )
    return found
