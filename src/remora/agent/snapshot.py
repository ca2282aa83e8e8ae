"""A snapshot: what a frame held when a line was reached, as text, taken while the program goes on.

Made on the thread that hit the line, inside the engine's callback, so it is short: a few values in a few
characters, a few milliseconds, then it is cut. No code of the program runs (no property, no `__repr__`)
unless the client asks for that. What is told holds no object of the program.
"""

from __future__ import annotations

from remora.agent.session import source_of_path
from remora.engine.expressions import HIDDEN, Expression, describe
from remora.values.budget import Budget, Clock
from remora.values.names import Names
from remora.values.redaction import DisplayTexts, expression_is_secret, is_secret
from remora.values.static import BUILTIN, FUNCTION, MISSING, MODULE, is_class, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from remora.agent.agent import Agent
    from remora.engine import StackEntry

# A snapshot holds up the thread that takes it.
SECONDS = 0.02
MAX_FRAMES = 50
MAX_NAMES = 100
VALUE_CHARS = 500
# What was asked for by name may be longer.
WATCH_SECONDS = 1.0
WATCH_CHARS = 8 << 10
# All values of one answer together.
TOTAL_CHARS = 64 << 10
DEFAULT_DEPTH = 2


class Look:
    """How values are shown: compared by value, so that the same wish is the same breakpoint."""

    __slots__ = ("all_frames", "call_repr", "depth", "only_watches", "redact", "watches")

    def __init__(
        self,
        *,
        depth: int = DEFAULT_DEPTH,
        all_frames: bool = False,
        redact: bool = True,
        call_repr: bool = False,
        watches: tuple[str, ...] = (),
        only_watches: bool = False,
    ) -> None:
        self.depth = depth
        self.all_frames = all_frames
        self.redact = redact
        self.call_repr = call_repr
        self.watches = watches  # expressions to be evaluated there: the one thing that runs code
        self.only_watches = only_watches

    def key(self) -> tuple[object, ...]:
        return (self.depth, self.all_frames, self.redact, self.call_repr, self.watches, self.only_watches)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Look) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())


class Writer:
    """Writes the variables of frames within one budget."""

    __slots__ = ("clock", "cut", "left", "look", "texts")

    def __init__(
        self,
        look: Look,
        *,
        seconds: float = SECONDS,
        total_chars: int = TOTAL_CHARS,
        value_chars: int = VALUE_CHARS,
    ) -> None:
        self.look = look
        self.clock = Clock(seconds)
        self.left = total_chars
        self.cut = False  # not everything is there
        # One level is the value itself.
        budget = Budget(text_chars=value_chars, depth=look.depth + 1, seconds=seconds)
        self.texts = DisplayTexts(budget, self.clock, run_user_code=look.call_repr, redact=look.redact)

    def variables(self, frame: FrameType) -> list[dict[str, str]]:
        """Write the locals of a frame; of a module its globals that are data."""
        names = Names(frame)
        wanted = _of_module(names) if names.is_module else names.local_names() + names.free_names()
        found: list[dict[str, str]] = []
        for name in wanted:
            if len(found) >= MAX_NAMES or self.left <= 0 or self.clock.is_over():
                self.cut = True
                break
            value = names.read(name)
            if value is MISSING:
                continue
            text = HIDDEN if self.look.redact and is_secret(name) else self.texts.text(value)
            self.left -= len(text) + len(name)
            found.append({"name": name, "value": text, "type": type_name(type(value))})
        return found

    def watch(self, text: str, frame: FrameType) -> dict[str, str]:
        """Evaluate an expression in the frame and write its value, or what it raised."""
        if self.look.redact and expression_is_secret(text):
            return {"name": text, "value": HIDDEN, "type": ""}
        try:
            value = Expression(text).evaluate(frame, {})
        except Exception as error:  # boundary: the user's expression
            return {"name": text, "error": describe(error)}
        return {"name": text, "value": self.texts.text(value), "type": type_name(type(value))}


def _of_module(names: Names) -> list[str]:
    """The globals that are data: not what was imported or defined."""
    found = []
    for name, value in list(dict.items(names.globals)):
        kind = type(value)
        defined = kind is FUNCTION or kind is BUILTIN or kind is MODULE or is_class(value)
        if type(name) is str and not name.startswith("__") and not defined:
            found.append(name)
    return found


def frame_of(agent: Agent, entry: StackEntry) -> dict[str, Any]:
    """Describe where a frame stands; lines as Python counts them."""
    described = agent.inspector.describe_frame(entry)
    if described.source_path is not None:
        source: dict[str, Any] = source_of_path(described.source_path)
    else:
        source = {"name": described.source_name}
    return {
        "name": described.name,
        "module": described.module_name,
        "source": source,
        "line": entry.line,
        "userCode": entry.user_code,
    }


def take(agent: Agent, frame: FrameType, look: Look) -> dict[str, Any]:
    """Take the snapshot of this frame and those that have called it. On the thread of the frame."""
    watching = Writer(look, seconds=WATCH_SECONDS, value_chars=WATCH_CHARS)
    watches = [watching.watch(text, frame) for text in look.watches]
    writer = Writer(look)
    entries, more = agent.engine.stack_from(frame, 1 if look.only_watches else MAX_FRAMES)
    frames = []
    for number, entry in enumerate(entries):
        one = frame_of(agent, entry)
        if not look.only_watches and (number == 0 or (look.all_frames and entry.user_code)):
            one["variables"] = writer.variables(entry.frame)
        frames.append(one)
    body: dict[str, Any] = {"frames": frames}
    if watches:
        body["watches"] = watches
    if more and not look.only_watches:
        body["moreFrames"] = True
    if writer.cut:
        body["cut"] = True
    return body


def in_words(body: dict[str, Any]) -> str:
    """Write a snapshot in one line, for a client that only shows text."""
    nothing: dict[str, Any] = {"name": "?", "source": {"name": "?"}, "line": 0}
    top = body["frames"][0] if body["frames"] else nothing
    shown = ", ".join(f"{one['name']}={one['value']}" for one in top.get("variables", ()))
    return f"snapshot {top['source']['name']}:{top['line']} in {top['name']} [{body['thread']}]: {shown}"
