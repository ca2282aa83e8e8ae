"""One DAP connection: requests that may be pipelined, a log of events to wait on, reverse requests.

Threads: one reader thread per client takes messages apart and wakes those who wait; callers may be
any threads. `_changed` guards everything that the reader and the callers share; no callback and no
I/O happens under it. `_writing` serialises writes, so that `seq` grows in the order of the bytes.
`on_event` and `on_end` run on the reader thread and must not wait for an answer there (it would wait
for itself); each reverse request is answered from a thread of its own.
"""

from __future__ import annotations

import collections
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from remora.client.failures import ClientError, Disconnected, RequestFailed, TimedOut
from remora.client.stream import CommandStream, SocketStream, Stream
from remora.dap.errors import UNSUPPORTED, DapError
from remora.dap.framing import Decoder, FramingError, encode
from remora.dap.messages import error_response, request, response

Body = dict[str, Any]
#: the bodies of events a wait is for
Condition = Callable[[Body], bool]
#: command and arguments of a reverse request -> body of the answer; a DapError refuses it
ReverseHandler = Callable[[str, Body], Mapping[str, Any] | None]

#: nothing a debugger does takes longer, unless the program itself is waited for
DEFAULT_TIMEOUT_S = 30.0

#: how long any wait lasts before it looks again. CPython runs signal handlers between bytecodes, and a signal
#: that comes after the last of them but before the thread sleeps does not end that sleep. With many processes
#: that moment is long: one Ctrl-C in 60 was heard by nobody until the next message.
LOOK_S = 0.2

# A program that logs without end must not fill the client's memory.
_MAX_EVENTS = 100_000
_MAX_HISTORY = 60


class Pending:
    """A request under way."""

    def __init__(
        self, client: Client, seq: int, command: str, on_done: Callable[[], None] | None = None
    ) -> None:
        self._client = client
        self.seq = seq
        self.command = command
        self.on_done = on_done
        self._response: Body | None = None

    @property
    def done(self) -> bool:
        """Whether it is answered."""
        return self._response is not None

    def result(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> Body:
        """Return the answer's body (`{}` if it has none). RequestFailed, Disconnected, TimedOut."""
        self._client.wait_until(lambda: self.done, f"an answer to '{self.command}'", timeout_s)
        assert self._response is not None
        if self._response.get("success") is not True:
            raise RequestFailed(self.command, self._response)
        return self._response.get("body") or {}

    def failure(self) -> RequestFailed | None:
        """Return why it failed; None if it did not, or is not answered yet."""
        if self._response is None or self._response.get("success") is True:
            return None
        return RequestFailed(self.command, self._response)


class Client:
    """A connection to a hub or an adapter. Use it as a context manager, or `close()` it."""

    def __init__(
        self,
        stream: Stream,
        *,
        on_event: Callable[[str, Body], None] | None = None,
        on_reverse_request: ReverseHandler | None = None,
        on_end: Callable[[str], None] | None = None,
    ) -> None:
        self._stream = stream
        self.on_event = on_event
        self.on_end = on_end
        self.on_reverse_request = on_reverse_request
        #: every event message, in order (the oldest go when there are too many)
        self.events: collections.deque[Body] = collections.deque(maxlen=_MAX_EVENTS)
        self._unclaimed: dict[str, collections.deque[Body]] = {}
        self._history: collections.deque[tuple[str, Body]] = collections.deque(maxlen=_MAX_HISTORY)
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._seq = 0
        self._pending: dict[int, Pending] = {}
        self._end: str | None = None
        self._reader = threading.Thread(target=self._read, name="remora-client", daemon=True)
        self._reader.start()

    @classmethod
    def connect(cls, host: str, port: int, *, connect_timeout_s: float = 10.0, **callbacks: Any) -> Self:
        """Connect over TCP, trying again while nobody listens yet. OSError."""
        return cls(SocketStream.dial(host, port, timeout_s=connect_timeout_s), **callbacks)

    @classmethod
    def over(cls, sock: socket.socket, **callbacks: Any) -> Self:
        """Speak over a socket that is connected already."""
        return cls(SocketStream(sock), **callbacks)

    @classmethod
    def spawn(
        cls,
        argv: Sequence[str],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        **callbacks: Any,
    ) -> Self:
        """Start an adapter and speak through its standard input and output. OSError."""
        return cls(CommandStream(argv, cwd=cwd, env=env), **callbacks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def stream(self) -> Stream:
        """What carries the bytes."""
        return self._stream

    @property
    def connected(self) -> bool:
        """Whether the connection still stands."""
        return self._end is None

    def close(self) -> None:
        """End the connection; what is pending fails with Disconnected. Idempotent."""
        self._ended("this client closed the connection")
        self._stream.close()
        if threading.current_thread() is not self._reader:
            self._reader.join(10.0)

    # Requests

    def send(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        on_done: Callable[[], None] | None = None,
    ) -> Pending:
        """Send a request and don't wait. Disconnected; TypeError for what JSON cannot say.

        `on_done` is called on the reader thread when `result` need not wait any more: answered, or
        the connection is gone.
        """
        with self._writing:
            pending = Pending(self, self._next_seq(), command, on_done)
            message = request(pending.seq, command, arguments)
            data = encode(message)
            with self._changed:
                if self._end is not None:
                    raise Disconnected(f"cannot send '{command}': {self._end}")
                self._pending[pending.seq] = pending
            self._write(message, data)
        return pending

    def request(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Body:
        """Send a request and return the body of its answer. RequestFailed, Disconnected, TimedOut."""
        return self.send(command, arguments).result(timeout_s)

    # Events

    def wait_for(
        self,
        event: str,
        *,
        where: Condition | None = None,
        unless: Pending | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Body:
        """Return the body of the next such event, one that came already but was not waited for included.

        Each event is given out once. If the request `unless` fails meanwhile, raise that.
        RequestFailed, Disconnected, TimedOut.
        """
        found: Body | None = None

        def claim() -> bool:
            nonlocal found
            queue = self._unclaimed.get(event, ())
            for index, body in enumerate(queue):
                if where is None or where(body):
                    found = body
                    del self._unclaimed[event][index]
                    return True
            return bool(unless is not None and unless.failure())

        self.wait_until(claim, f"a '{event}' event" + (" of the kind wanted" if where else ""), timeout_s)
        if found is None:
            assert unless is not None
            failure = unless.failure()
            assert failure is not None
            raise failure
        return found

    def seen(self, event: str) -> list[Body]:
        """Return the bodies of all such events so far."""
        with self._changed:
            return [e.get("body") or {} for e in self.events if e.get("event") == event]

    def forget(self, event: str) -> None:
        """Count the events of this name that came so far as waited for."""
        with self._changed:
            self._unclaimed.pop(event, None)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until `condition` holds; it is asked after each message and now and then, with the lock held.

        Disconnected if the connection ends before; TimedOut with the last messages.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                if self._end is not None:
                    raise Disconnected(f"while waiting for {what}: {self._end}")
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise TimedOut(f"no {what.removeprefix('a ')} within {timeout_s:g} s{self._recent()}")
                self._changed.wait(min(left_s, LOOK_S))

    def describe_recent(self) -> str:
        """Show the last messages both ways, for a person."""
        with self._changed:
            return self._recent()

    def _recent(self) -> str:
        lines = [f"\n  {arrow} {_short(message)}" for arrow, message in self._history]
        return "; the last messages were:" + "".join(lines) if lines else "; no message was ever seen"

    # Writing

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _write(self, message: Body, data: bytes) -> None:
        """Write one message, encoded; call it with `_writing` held."""
        with self._changed:
            self._history.append(("->", message))
        try:
            self._stream.write(data)
        except OSError as error:
            self._ended(f"the connection broke while writing: {error}")
            raise Disconnected(self._end) from error

    # Reading: on the reader thread

    def _read(self) -> None:
        decoder = Decoder()
        why = ""
        while not why and (data := self._stream.read()):
            while True:
                try:
                    messages = decoder.feed(data)
                except FramingError as error:
                    messages = error.messages
                    if not error.recoverable:
                        why = f"the other side does not speak DAP: {error.text}"
                    data = b""
                    in_step = error.recoverable
                else:
                    in_step = False
                for message in messages:
                    self._take(message)
                if not in_step:
                    break
        if not why:
            why = self._stream.describe_end() if self._end is None else self._end
            if decoder.pending_bytes:
                why += " in the middle of a message"
        self._ended(why)
        if self.on_end is not None:
            self.on_end(self._end or why)

    def _ended(self, why: str) -> None:
        with self._changed:
            if self._end is None:
                self._end = why
            lost = list(self._pending.values())
            self._pending.clear()
            self._changed.notify_all()
        for pending in lost:
            if pending.on_done is not None:
                pending.on_done()

    def _take(self, message: Body) -> None:
        kind = message.get("type")
        body = message.get("body")
        name = message.get("event")
        pending = None
        with self._changed:
            self._history.append(("<-", message))
            if kind == "response":
                pending = self._pending.pop(message.get("request_seq", 0), None)
                if pending is not None:
                    pending._response = message
            elif kind == "event" and isinstance(name, str):
                self.events.append(message)
                queue = self._unclaimed.setdefault(name, collections.deque(maxlen=_MAX_EVENTS))
                queue.append(body if isinstance(body, dict) else {})
            self._changed.notify_all()
        if pending is not None and pending.on_done is not None:
            pending.on_done()
        if kind == "event" and self.on_event is not None and isinstance(name, str):
            try:
                self.on_event(name, body if isinstance(body, dict) else {})
            except Exception as error:  # the caller's code: a dead reader would leave every wait hanging
                self._ended(f"on_event failed on '{name}': {error!r}")
                raise
        elif kind == "request":
            threading.Thread(
                target=self._answer, args=(message,), name="remora-client-reverse", daemon=True
            ).start()

    def _answer(self, asked: Body) -> None:
        """Carry out a reverse request; every one is answered."""
        command = str(asked.get("command"))
        body: Mapping[str, Any] | None = None
        failure: DapError | None = None
        try:
            if self.on_reverse_request is None:
                raise UNSUPPORTED(command=command, reason="this client takes no requests")
            body = self.on_reverse_request(command, asked.get("arguments") or {})
        except DapError as error:
            failure = error
        except Exception as error:  # the callback is the caller's: whatever it does, the adapter waits
            failure = DapError(f"{command}: {error}")
        try:
            with self._writing:
                seq = self._next_seq()
                answer = error_response(seq, asked, failure) if failure else response(seq, asked, body)
                try:
                    data = encode(answer)
                except Exception as error:  # the callback's too: an object that JSON has no word for
                    failure = DapError(f"{command}: the answer cannot be sent: {error}")
                    answer = error_response(seq, asked, failure)
                    data = encode(answer)
                self._write(answer, data)
        except ClientError:
            pass  # nobody is there to hear the answer any more


def _short(message: Body) -> str:
    kind = message.get("type")
    name = message.get("command") or message.get("event")
    rest = message.get("arguments") if kind == "request" else message.get("body")
    text = json.dumps(rest, default=repr) if rest else ""
    failed = "" if message.get("success", True) else f" failed: {message.get('message')}"
    return f"{kind} {name}{failed} {text[:240]}{'…' if len(text) > 240 else ''}".rstrip()
