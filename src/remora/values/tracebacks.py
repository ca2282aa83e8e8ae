"""The text of an exception as Python would print it, without remora's frames.

`traceback` is not used: it would load thirty modules into the debuggee, and runs the program's `__str__`s
without a guard. Lines of source come from `linecache`, or from texts the caller knows.
"""

from __future__ import annotations

from remora.values.sources import line_of
from remora.values.static import exception_field, full_type_name, group_members, instance_dict
from remora.values.text import exception_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType, TracebackType

MAX_FRAMES = 200  # of one traceback: a RecursionError has a thousand, all alike
MAX_CHAIN = 50
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is remora's own. Code evaluated in a frame has that frame's globals, so it is not."""
    module = frame.f_globals.get("__name__")
    return type(module) is str and (module == "remora" or module.startswith("remora."))


def frames_text(traceback: TracebackType | None, sources: Mapping[str, str], limit: int = MAX_FRAMES) -> str:
    """One traceback's frames without remora's, and without the middle of more than `limit` (0: no limit)."""
    entries = []
    while traceback is not None:
        frame = traceback.tb_frame
        if not is_ours(frame):
            # What evaluation wrapped round the source is no part of its name.
            name = frame.f_code.co_qualname.rpartition("<frame>.<locals>.")[2]
            entries.append((frame.f_code.co_filename, traceback.tb_lineno or 0, name, frame))
        traceback = traceback.tb_next
    left_out = len(entries) - limit if limit else 0
    half = limit // 2
    if left_out > 0:
        entries[half : half + left_out] = []
    written = []
    for index, (filename, line, name, frame) in enumerate(entries):
        if left_out > 0 and index == half:
            written.append(f"  [… {left_out} more frames …]\n")
        written.append(f'  File "{filename}", line {line}, in {name}\n')
        text = sources.get(filename)
        if text is not None:
            lines = text.split("\n")
            shown = lines[line - 1] if 0 < line <= len(lines) else ""
        else:
            shown = line_of(filename, line, frame.f_globals)
        if shown.strip():
            written.append(f"    {shown.strip()}\n")
    return "".join(written)


def one_text(error: BaseException, sources: Mapping[str, str], limit: int = MAX_FRAMES) -> str:
    """One exception: its frames, its message, its notes."""
    frames = frames_text(exception_field(error, "__traceback__"), sources, limit)
    header = "Traceback (most recent call last):\n" if frames else ""
    message = exception_message(error)
    name = full_type_name(type(error))
    text = f"{header}{frames}{name}: {message}\n" if message else f"{header}{frames}{name}\n"
    return text + "".join(f"{note}\n" for note in notes_of(error))


def notes_of(error: BaseException) -> list[str]:
    """What `add_note` gave; `__notes__` can be set to anything."""
    notes = (instance_dict(error) or {}).get("__notes__")
    return [note for note in notes if type(note) is str] if type(notes) is list else []


def chain_of(error: BaseException, until: BaseException | None = None) -> Iterator[tuple[BaseException, str]]:
    """The exception and what led to it, last first, each with its relation to the one before."""
    seen = {id(error)}
    relation = ""
    current: BaseException | None = error
    while current is not None and len(seen) <= MAX_CHAIN:
        yield current, relation
        cause, context = exception_field(current, "__cause__"), exception_field(current, "__context__")
        if cause is not None:
            current, relation = cause, "cause"
        elif context is not None and not exception_field(current, "__suppress_context__"):
            current, relation = context, "context"
        else:
            return
        if id(current) in seen or current is until:
            return
        seen.add(id(current))


def stack_text(
    error: BaseException,
    *,
    sources: Mapping[str, str] | None = None,
    until: BaseException | None = None,
    limit: int = MAX_FRAMES,
) -> str:
    """The whole text, oldest exception first. `until`: one that was there before, not to be told again."""
    pieces = []
    sources = sources or {}
    for current, relation in chain_of(error, until):
        if relation:
            pieces.append(CAUSE if relation == "cause" else CONTEXT)
        pieces.append(one_text(current, sources, limit) + _members_text(current, sources, 1, limit))
    return "".join(reversed(pieces)).rstrip("\n")


def _members_text(error: BaseException, sources: Mapping[str, str], depth: int, limit: int) -> str:
    if depth > 8:
        return ""
    written = []
    for number, member in enumerate(group_members(error)[:20], 1):
        text = one_text(member, sources, limit) + _members_text(member, sources, depth + 1, limit)
        written.append(f"  +---------------- {number} ----------------\n")
        written.extend(f"  | {line}\n" for line in text.rstrip("\n").split("\n"))
    return "".join(written)
