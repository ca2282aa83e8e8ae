"""Stops: why a thread stands still, what the engine tells, and whom."""

from __future__ import annotations

from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Protocol

    from .breakpoints import Breakpoint
    from .threads import ThreadInfo

    class Listener(Protocol):
        """What the engine tells the session. Called on the thread it concerns; must not block or raise."""

        def stopped(self, stop: Stop) -> None: ...
        def resumed(self, thread_id: int | None) -> None: ...
        def logged(self, breakpoint: Breakpoint, text: str, frame_line: int) -> None: ...
        def snapped(self, breakpoint: Breakpoint, frame: FrameType) -> None: ...
        def throttled(self, breakpoint: Breakpoint) -> None: ...
        def thread_started(self, thread: ThreadInfo) -> None: ...
        def thread_exited(self, thread: ThreadInfo) -> None: ...
        def breakpoint_changed(self, breakpoint: Breakpoint) -> None: ...

else:

    class Listener:
        """At run time any object with these methods will do; the protocol is above."""


class StopReason(Enum):
    BREAKPOINT = "breakpoint"
    STEP = "step"
    EXCEPTION = "exception"
    PAUSE = "pause"
    ENTRY = "entry"


class StepKind(Enum):
    OVER = "over"
    IN = "in"
    OUT = "out"


class Stop:
    """Why one thread is stopped. Made by the engine, read by the session."""

    __slots__ = (
        "breakpoint_ids",
        "description",
        "exception",
        "filter",
        "post_mortem",
        "reason",
        "returned",
        "text",
        "thread_id",
    )

    def __init__(
        self,
        thread_id: int,
        reason: StopReason,
        description: str,
        text: str | None = None,
        *,
        breakpoint_ids: tuple[int, ...] = (),
        exception: BaseException | None = None,
        filter: str | None = None,
        returned: tuple[str, object] | None = None,
        post_mortem: bool = False,
    ) -> None:
        self.thread_id = thread_id
        self.reason = reason
        self.description = description
        self.text = text
        self.breakpoint_ids = breakpoint_ids
        self.exception = exception
        self.filter = filter  # the exception filter that stopped: raised, uncaught, userUnhandled
        self.returned = returned  # (qualname, value) of the function a step has just left
        self.post_mortem = post_mortem  # the frames are those of a traceback: no step, no jump

    def __repr__(self) -> str:
        return f"<Stop thread={self.thread_id} {self.reason.value} {self.text or self.description!r}>"
