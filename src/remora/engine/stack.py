"""The stack of a thread as a person should see it: the program's frames, innermost first."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


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
