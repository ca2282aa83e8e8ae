"""Jobs: work the session hands to a parked thread, with a time-out and a way to interrupt it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Interrupted(BaseException):
    """Raised inside a job's work when its time is up or it was cancelled."""


class Job[T]:
    """One piece of work. `result`, or `error` (what the work raised), is set when `done` is called."""

    __slots__ = ("done", "error", "result", "thread_id", "timeout_s", "work")

    def __init__(
        self, thread_id: int, work: Callable[[], T], done: Callable[[Job[T]], None], timeout_s: float | None
    ) -> None:
        self.thread_id = thread_id
        self.work = work
        self.done = done
        self.timeout_s = timeout_s
        self.result: T | None = None
        self.error: BaseException | None = None

    def cancel(self) -> None:
        """Interrupt the work, or keep it from starting. `done` still runs, with `error` an Interrupted."""
        raise NotImplementedError
