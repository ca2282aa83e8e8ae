"""Breakpoints: what the user asked for, with an id for life, and what is tested when a line is reached.

A `Wish` is the request as it came; a `Breakpoint` is that wish with a number, a state and a place. Where it
is armed in code objects (its bindings) is the business of `arming`.

Condition and hit condition are AND-ed: a hit is a visit on which the condition was true.

A breakpoint of mode LOG or SNAPSHOT never stops the program, not even when its condition fails. How often it
may speak is its `Quota`.
"""

from __future__ import annotations

from enum import Enum

from .expressions import Expression, LogMessage
from .quota import Quota

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class BreakpointState(Enum):
    VERIFIED = "verified"  # a line of code that exists (in memory, or in the file on disk)
    PENDING = "pending"  # no such code yet; may bind later
    FAILED = "failed"  # cannot work; the message says why


class Mode(Enum):
    """What a hit does. The values are DAP's names of breakpoint modes."""

    STOP = "stop"
    SNAPSHOT = "snapshot"  # the listener is shown the frame, and the program goes on
    LOG = "log"


class Wish:
    """What the user asked for: a line, what must hold for a hit, and what a hit does."""

    __slots__ = (
        "condition",
        "hides",
        "hit_condition",
        "limit",
        "line",
        "log_message",
        "mode",
        "note",
        "rate",
    )

    def __init__(
        self,
        line: int,
        condition: str | None = None,
        hit_condition: str | None = None,
        log_message: str | None = None,
        *,
        mode: Mode | None = None,
        limit: int | None = None,
        rate: tuple[int, float] | None = None,
        hides: Callable[[str], bool] | None = None,
        note: object = None,
    ) -> None:
        """`mode` None: LOG with a message, else STOP.

        At most `limit` hits are told in all, and `rate` = (count, seconds). `hides` says which names a log
        message must not show the values of. `note` is the listener's own, hashable: the engine hands it back.
        """
        self.line = line
        self.condition = condition
        self.hit_condition = hit_condition
        self.log_message = log_message
        self.mode = mode
        self.limit = limit
        self.rate = rate
        self.hides = hides
        self.note = note

    def key(self) -> tuple[object, ...]:
        return (
            self.line,
            self.condition,
            self.hit_condition,
            self.log_message,
            self.mode,
            self.limit,
            self.rate,
            self.hides,
            self.note,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wish) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __repr__(self) -> str:
        return f"Wish{self.key()}"


class Breakpoint:
    """A wish with its id for life, its state and where it is now."""

    __slots__ = (
        "condition",
        "error_told",
        "hit_test",
        "hits",
        "id",
        "line",
        "log",
        "message",
        "never_stops",
        "path",
        "quota",
        "snaps",
        "state",
        "wish",
    )

    def __init__(self, number: int, path: str, wish: Wish) -> None:
        self.id = number
        self.path = path
        self.wish = wish
        self.state = BreakpointState.PENDING
        self.line = wish.line
        self.message: str | None = None
        self.hits = 0
        self.error_told = False  # an error in the condition stops once, not at every visit
        self.condition: Expression | None = None
        self.hit_test: Callable[[int], bool] | None = None
        self.log: LogMessage | None = None
        self.snaps = wish.mode is Mode.SNAPSHOT
        self.never_stops = self.snaps or wish.mode is Mode.LOG
        self.quota: Quota | None = None
        if wish.limit is not None or wish.rate is not None:
            self.quota = Quota(wish.limit, wish.rate)
        self._compile()

    def _compile(self) -> None:
        wish = self.wish
        try:
            what = "condition"
            if wish.condition is not None and wish.condition.strip():
                self.condition = Expression(wish.condition)
            what = "hit condition"
            if wish.hit_condition is not None and wish.hit_condition.strip():
                self.hit_test = hit_test(wish.hit_condition)
            what = "log message"
            if wish.log_message:
                self.log = LogMessage(wish.log_message, wish.hides)
            elif wish.mode is Mode.LOG:
                raise SyntaxError("it is empty")
        except SyntaxError as error:
            self.fail(f"The {what} is wrong: {error.msg}")

    @property
    def is_usable(self) -> bool:
        return self.state is not BreakpointState.FAILED

    def verify(self, line: int, message: str | None = None) -> None:
        self.state, self.line, self.message = BreakpointState.VERIFIED, line, message

    def wait(self, message: str) -> None:
        self.state, self.line, self.message = BreakpointState.PENDING, self.wish.line, message

    def fail(self, message: str) -> None:
        self.state, self.line, self.message = BreakpointState.FAILED, self.wish.line, message

    def __repr__(self) -> str:
        return f"<Breakpoint {self.id} {self.path}:{self.line} {self.state.value} hits={self.hits}>"


def hit_test(text: str) -> Callable[[int], bool]:
    """`3` or `== 3`: the third hit; `> 3` `>= 3` `< 3` `<= 3`; `% 3`: every third. Raises SyntaxError."""
    text = text.strip()
    operator = ""
    for candidate in ("==", ">=", "<=", ">", "<", "%"):
        if text.startswith(candidate):
            operator = candidate
            break
    digits = text[len(operator) :].strip()
    if not (digits.isascii() and digits.isdigit()):
        raise SyntaxError(f"{text!r} is none of: 3, == 3, > 3, >= 3, < 3, <= 3, % 3")
    number = int(digits)
    match operator:
        case ">":
            return lambda hits: hits > number
        case ">=":
            return lambda hits: hits >= number
        case "<":
            return lambda hits: hits < number
        case "<=":
            return lambda hits: hits <= number
        case "%":
            if not number:
                raise SyntaxError("every 0th hit does not exist: use % 1 or more")
            return lambda hits: hits % number == 0
        case _:
            if not number:
                raise SyntaxError("there is no 0th hit: the first is 1")
            return lambda hits: hits == number


class FileBreakpoints:
    """The breakpoints of one file."""

    __slots__ = ("by_line", "items", "path")

    def __init__(self, path: str) -> None:
        self.path = path  # as the client wrote it
        self.items: list[Breakpoint] = []
        self.by_line: dict[int, tuple[Breakpoint, ...]] = {}

    def index(self) -> None:
        """Work out `by_line` from the verified ones."""
        by_line: dict[int, tuple[Breakpoint, ...]] = {}
        for item in self.items:
            if item.state is BreakpointState.VERIFIED:
                by_line[item.line] = (*by_line.get(item.line, ()), item)
        self.by_line = by_line

    @property
    def waiting(self) -> list[Breakpoint]:
        return [item for item in self.items if item.state is BreakpointState.PENDING]
