"""What breakpoints that do not stop tell the client: log messages, snapshots, and how much was left out.

A client that announces `supportsRemoraEvents` gets events it can take apart (`remoraLog`, `remoraSnapshot`,
`remoraLeftOut`; docs/live.md); any other gets `output` events with text.

`logged`, `snapped` and `throttled` run on the thread that hit the line; the rest on the agent thread.
"""

from __future__ import annotations

import json
import time

from remora.agent import snapshot
from remora.agent.log import log_exception
from remora.agent.session import source_of_path
from remora.values.redaction import scrub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from remora.agent.loop import Timer
    from remora.agent.session import Session
    from remora.engine import Breakpoint

_time = time.time  # programs patch it in tests
CLIENT_FLAG = "supportsRemoraEvents"
# A longer message is no message; blotting secrets out takes time by the character.
MAX_MESSAGE_CHARS = 8 << 10


class Quiet:
    """The quiet breakpoints of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._structured = session.client.get(CLIENT_FLAG) is True
        self._streams: dict[int, _Stream] = {}
        self._throttled: dict[int, Breakpoint] = {}  # those with something left out that is not told yet
        self._timers: dict[int, Timer] = {}

    # --- the thread that hit the line

    def logged(self, breakpoint: Breakpoint, text: str, line: int) -> None:
        """Tell a log message."""
        look = breakpoint.wish.note
        if len(text) > MAX_MESSAGE_CHARS:
            text = text[:MAX_MESSAGE_CHARS] + f"… ({len(text)} characters)"
        if isinstance(look, snapshot.Look) and look.redact:
            text = scrub(text)
        session = self._session
        if not self._structured:
            session.transport.line(breakpoint, text + "\n", line)
            return
        stream = self._streams.get(breakpoint.id)
        if stream is None:
            stream = self._streams.setdefault(breakpoint.id, _Stream(session, breakpoint))
        thread = session.agent.engine.current_thread()
        entry = {"time": _time(), "threadId": thread.id, "thread": thread.name, "text": text}
        session.transport.line(stream, json.dumps(entry) + "\n", line)

    def snapped(self, breakpoint: Breakpoint, frame: FrameType) -> None:
        """Take a snapshot and tell it."""
        session = self._session
        look = breakpoint.wish.note
        assert isinstance(look, snapshot.Look)
        try:
            body = snapshot.take(session.agent, frame, look)
        except Exception as error:  # boundary: the program's objects; it goes on whatever they are
            log_exception("snapshot", error)
            body = {"frames": [], "error": type(error).__name__}
        thread = session.agent.engine.current_thread()
        body.update(breakpointId=breakpoint.id, time=_time(), threadId=thread.id, thread=thread.name)
        for one in body["frames"]:
            one["line"] = session.client_line(one["line"])
        if self._structured:
            session.event("remoraSnapshot", body)
        else:
            session.transport.line(breakpoint, snapshot.in_words(body) + "\n", frame.f_lineno)

    def throttled(self, breakpoint: Breakpoint) -> None:
        """See to it that the interval ends in which this one has been over its rate."""
        self._throttled[breakpoint.id] = breakpoint
        self._session.agent.loop.soon(lambda: self._begin_interval(breakpoint))

    # --- the agent thread

    def end(self) -> None:
        """Tell what is left to tell: the session ends. On the agent thread, or at the end of the program."""
        for timer in list(self._timers.values()):
            timer.cancel()
        self._timers.clear()
        for breakpoint in list(self._throttled.values()):
            self._collect(breakpoint)

    def _begin_interval(self, breakpoint: Breakpoint) -> None:
        quota = breakpoint.quota
        if quota is None or breakpoint.id in self._timers or self._session.quiet is not self:
            return
        loop = self._session.agent.loop
        self._timers[breakpoint.id] = loop.after(quota.interval_s, lambda: self._end_interval(breakpoint))

    def _end_interval(self, breakpoint: Breakpoint) -> None:
        self._timers.pop(breakpoint.id, None)
        if self._session.quiet is not self:
            return
        if self._collect(breakpoint):
            # Once more even if nothing follows: a visit that was under way just now may have switched its
            # line off right after it was switched on.
            self._begin_interval(breakpoint)

    def _collect(self, breakpoint: Breakpoint) -> bool:
        """Let it speak again; tell what it has left out, and say whether that was anything."""
        session = self._session
        self._throttled.pop(breakpoint.id, None)
        count, more = session.agent.engine.next_interval(breakpoint)
        if not count:
            return False
        line = session.client_line(breakpoint.line)
        source = source_of_path(breakpoint.path)
        if self._structured:
            session.event(
                "remoraLeftOut",
                {"breakpointId": breakpoint.id, "source": source, "line": line, "count": count, "more": more},
            )
        else:
            much = f"{count:,} and more" if more else f"{count:,}"
            text = f"remora: {much} hits were left out: too many in a short time\n"
            session.event("output", {"category": "console", "output": text, "source": source, "line": line})
        return True


class _Stream:
    """Messages of one breakpoint on their way out, joined by the transport."""

    __slots__ = ("_breakpoint", "_session")

    def __init__(self, session: Session, breakpoint: Breakpoint) -> None:
        self._session = session
        self._breakpoint = breakpoint

    def render(self, text: str, line: int) -> dict[str, Any]:
        """Make the body of the event. Any thread."""
        return {
            "breakpointId": self._breakpoint.id,
            "source": source_of_path(self._breakpoint.path),
            "line": self._session.client_line(line),
            "entries": [json.loads(entry) for entry in text.splitlines()],
        }
