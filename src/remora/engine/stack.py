"""The stack of a thread as a person should see it: the program's frames, innermost first.

Below the program's first frame there may be remora's runner and `runpy`; above its last one, calls into
remora. Neither is shown.
"""

from __future__ import annotations

from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType, TracebackType

# A frame, its instruction (f_lasti is that of now, a traceback's of then), and the line if it is not
# f_lineno.
type Place = tuple[FrameType, int, int | None]


class StackEntry:
    """One frame and where it stands. Columns are 0-based UTF-8 bytes, lines 1-based, None where unknown."""

    __slots__ = ("column", "end_column", "end_line", "frame", "line", "user_code")

    def __init__(
        self,
        frame: FrameType,
        line: int,
        column: int | None,
        end_line: int | None,
        end_column: int | None,
        user_code: bool,
    ) -> None:
        self.frame = frame
        self.line = line
        self.column = column
        self.end_line = end_line
        self.end_column = end_column
        self.user_code = user_code

    def __repr__(self) -> str:
        return f"<StackEntry {self.frame.f_code.co_qualname}:{self.line}>"


def entry(place: Place, *, user_code: bool) -> StackEntry:
    frame, lasti, line = place
    code = frame.f_code
    position = next(islice(code.co_positions(), lasti // 2, None), None) if lasti >= 0 else None
    start, end_line, column, end_column = position or (None, None, None, None)
    if line is None:
        line = frame.f_lineno or start or code.co_firstlineno
    if start != line:
        end_line = column = end_column = None
    return StackEntry(frame, line, column, end_line, end_column, user_code)


def places_from(frame: FrameType | None) -> list[Place]:
    """The frames of a thread from its innermost one outwards."""
    found: list[Place] = []
    while frame is not None:
        found.append((frame, frame.f_lasti, None))
        frame = frame.f_back
    return found


def places_of(traceback: TracebackType | None) -> list[Place]:
    """The frames an exception has crossed, and those around them that are still there; innermost first."""
    found: list[Place] = []
    first = traceback.tb_frame if traceback is not None else None
    while traceback is not None:
        found.append((traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno))
        traceback = traceback.tb_next
    found.reverse()
    if first is not None:
        found.extend(places_from(first.f_back))
    return found


def trim(
    places: list[Place], is_foundation: Callable[[CodeType], bool], is_own: Callable[[CodeType], bool]
) -> None:
    """Cut what is not the program's: at the bottom its launcher, at the top calls into remora."""
    while places and is_foundation(places[-1][0].f_code):
        places.pop()
    top = 0
    while top < len(places) and is_own(places[top][0].f_code):
        top += 1
    del places[:top]
