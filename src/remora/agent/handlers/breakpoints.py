"""Line breakpoints: what the client wishes for a file replaces what it wished before.

Beside DAP's fields a breakpoint may carry `remora`, an object that says how much a log message or a snapshot
may tell (docs/live.md). Other adapters ignore it.
"""

from __future__ import annotations

from remora.dap.errors import BAD_ARGUMENTS
from remora.engine import Mode, Wish
from remora.engine.expressions import Expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.session import Handler, Request, Session

_MODES = {mode.value: mode for mode in Mode}
# What one snapshot costs the program is bounded; this bounds how many there are.
SNAPSHOT_RATE = (10, 1.0)
MAX_DEPTH = 16


def set_breakpoints(session: Session, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    source = arguments["source"]
    path = source.get("path") or source.get("name")
    if not path:
        raise BAD_ARGUMENTS(command="setBreakpoints", problems="source.path: needed to know the file")
    asked = arguments.get("breakpoints")
    if asked is None:
        asked = [{"line": line} for line in arguments.get("lines") or ()]
    wishes = [_wish(session, one, f"breakpoints[{number}]") for number, one in enumerate(asked)]
    if session.quiet is None and any(wish.mode is Mode.SNAPSHOT or wish.note is not None for wish in wishes):
        from remora.agent.quiet import Quiet  # late: most sessions have no such breakpoints

        session.quiet = Quiet(session)
    made = session.agent.engine.set_breakpoints(path, wishes)
    return {"breakpoints": [session.describe_breakpoint(one) for one in made]}


def _wish(session: Session, one: dict[str, Any], place: str) -> Wish:
    """Read a SourceBreakpoint; raise BAD_ARGUMENTS."""
    name = one.get("mode")
    if name is not None and name not in _MODES:
        problem = f"{place}.mode: {name!r:.40} is none of {', '.join(_MODES)}"
        raise BAD_ARGUMENTS(command="setBreakpoints", problems=problem)
    mode = _MODES.get(name) if name is not None else None
    options: dict[str, Any] = {"mode": mode}
    custom = one.get("remora")
    if custom is not None or mode is Mode.SNAPSHOT:
        options = _options(custom if custom is not None else {}, mode, f"{place}.remora")
    return Wish(
        session.our_line(one["line"]),
        one.get("condition") or None,
        one.get("hitCondition") or None,
        one.get("logMessage") or None,
        **options,
    )


def _options(custom: object, mode: Mode | None, place: str) -> dict[str, Any]:
    from remora.agent.snapshot import DEFAULT_DEPTH, Look
    from remora.values.redaction import is_secret

    read = _Reader(custom, place)
    redact = read.flag("redact", True)
    rate = read.rate("rate")
    if rate is None and mode is Mode.SNAPSHOT:
        rate = SNAPSHOT_RATE
    look = Look(
        depth=read.number("depth", 0, MAX_DEPTH, DEFAULT_DEPTH),
        all_frames=read.flag("allFrames", False),
        redact=redact,
        call_repr=read.flag("callRepr", False),
        watches=read.expressions("watches"),
        only_watches=read.flag("onlyWatches", False),
    )
    limit = read.number("limit", 1, 1 << 53, 0)
    return {
        "mode": mode,
        "limit": limit or None,
        "rate": rate,
        "note": look,
        "hides": is_secret if redact else None,
    }


class _Reader:
    """Reads the fields of `remora`, checked."""

    __slots__ = ("_fields", "_place")

    def __init__(self, fields: object, place: str) -> None:
        self._place = place
        if not isinstance(fields, dict):
            raise self._wrong("", "an object")
        self._fields = fields

    def _wrong(self, name: str, expected: str) -> Exception:
        where = f"{self._place}.{name}" if name else self._place
        return BAD_ARGUMENTS(command="setBreakpoints", problems=f"{where}: expected {expected}")

    def flag(self, name: str, default: bool) -> bool:
        value = self._fields.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def number(self, name: str, least: int, most: int, default: int) -> int:
        value = self._fields.get(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return value

    def expressions(self, name: str) -> tuple[str, ...]:
        value = self._fields.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(name, "a list of expressions")
        for text in value:
            try:
                Expression(text)
            except SyntaxError as error:
                raise self._wrong(name, f"expressions; {text!r}: {error.msg}") from None
        return tuple(value)

    def rate(self, name: str) -> tuple[int, float] | None:
        value = self._fields.get(name)
        if value is None:
            return None
        inside = _Reader(value, f"{self._place}.{name}")
        count = inside.number("count", 1, 1 << 31, 0)
        seconds = inside._fields.get("seconds")
        if seconds is None:
            seconds = 1
        if not count or not isinstance(seconds, int | float) or not 0.1 <= seconds <= 86400:
            raise self._wrong(name, "{count: 1 or more, seconds: 0.1 to 86400}")
        return count, float(seconds)


HANDLERS: dict[str, Handler] = {"setBreakpoints": set_breakpoints}
