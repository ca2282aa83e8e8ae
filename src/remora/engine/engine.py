"""The face of the engine: everything the session may ask for."""

from __future__ import annotations

from .breakpoints import Breakpoint, Wish
from .exceptions import ExceptionFilter
from .jobs import Job
from .stack import StackEntry
from .stops import Listener, StepKind, Stop
from .threads import ThreadInfo
from .usercode import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, FrameType
    from typing import TypeVar

    T = TypeVar("T")


class Engine:
    def __init__(self, listener: Listener) -> None:
        self.attached = False

    def attach(self) -> str | None:
        raise NotImplementedError

    def detach(self) -> None:
        raise NotImplementedError

    def own_thread(self, ident: int) -> None:
        raise NotImplementedError

    def set_user_code(self, *, just_my_code: bool = True, rules: Sequence[Rule] = ()) -> None:
        raise NotImplementedError

    def is_user_code(self, code: CodeType) -> bool:
        raise NotImplementedError

    def set_breakpoints(self, path: str, wishes: Sequence[Wish]) -> list[Breakpoint]:
        raise NotImplementedError

    def set_exception_filters(self, filters: Sequence[ExceptionFilter]) -> None:
        raise NotImplementedError

    def stop_on_entry(self, code: CodeType) -> None:
        raise NotImplementedError

    def break_here(self, frame: FrameType) -> None:
        raise NotImplementedError

    def uncaught(self, exc: BaseException) -> None:
        raise NotImplementedError

    def pause(self, thread_id: int | None = None) -> None:
        raise NotImplementedError

    def resume(self, thread_id: int | None = None) -> None:
        raise NotImplementedError

    def step(self, thread_id: int, kind: StepKind) -> None:
        raise NotImplementedError

    def jump(self, thread_id: int, line: int) -> list[str]:
        raise NotImplementedError

    def threads(self) -> list[ThreadInfo]:
        raise NotImplementedError

    def stop_of(self, thread_id: int) -> Stop | None:
        raise NotImplementedError

    def stack(self, thread_id: int, start: int = 0, levels: int = 0) -> tuple[list[StackEntry], int]:
        raise NotImplementedError

    def submit(
        self,
        thread_id: int,
        work: Callable[[], T],
        done: Callable[[Job[T]], None],
        *,
        timeout_s: float | None = None,
    ) -> Job[T]:
        raise NotImplementedError
