"""One connection to a hub or a client: messages in on the agent thread, messages out from any thread.

The outbox is a deque, so that a user thread only ever appends. Whoever finds the socket free writes
(`drain`); a stop event or an answer thus leaves from the very thread that made it, without a thread
switch. Nobody ever waits for the lock: the one that holds it looks again after it has let go.

Program output and log messages are *lines*: appended only, the agent thread is woken once and joins
consecutive lines of the same origin into one event. They are many, so they may wait a bounded time for a
peer that does not keep up; what does not fit then is dropped, counted, and said. Nothing else is dropped.

Signals: a handler may run, or raise, between any two bytecodes of `drain` on the main thread, and it may
print or hit a breakpoint. Hence the re-entrant lock that is asked whether it is ours, and the write whose
result is recorded in C: whatever strikes, the stream never loses step.

`_socket` is used instead of `socket`: it is all that is needed, costs no modules, and is what monkey
patching (gevent, eventlet) leaves alone.
"""

from __future__ import annotations

import _socket
import _thread
import time

from remora.agent.log import log, log_exception
from remora.agent.loop import LOST, READ, WRITE, identity, new_poll
from remora.dap.framing import MAX_BODY_BYTES, Decoder, FramingError, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from typing import Any, Protocol

    from remora.agent.loop import Loop

    type Message = dict[str, Any]
    type Item = Message | Line | bytes
    # Origin (compared by identity), text, line: what `Receiver.render` makes an event of.
    type Line = tuple[object, str, int]

    class Receiver(Protocol):
        """Who owns a transport. All but `render` are called on the agent thread."""

        def received(self, message: Message) -> None: ...
        def malformed(self, error: FramingError) -> None: ...
        def closed(self, reason: str) -> None: ...
        def render(self, origin: object, text: str, line: int) -> Message:
            """Make the event of joined lines. Any thread; must not run user code."""
else:
    from _collections import deque  # the module `collections` is 4 ms of a child's start

RECEIVE_BYTES = 65536
# Bytes written at once: below the default socket buffer (208 KiB on Linux), so that one call takes them.
WRITE_BYTES = 128 << 10
# Characters joined into one event: a client shows it in one go, and no message gets near the hub's limit.
JOIN_CHARS = 64 << 10
# Lines waiting before their makers are made to wait: what 5 ms (the interpreter's switch interval) of a
# loop that does nothing but log can add is about 5,000.
MAX_LINES = 20_000
# The longest a user thread is held for a peer that does not read.
BACK_PRESSURE_S = 1.0
# A peer that takes no byte for this long is not waited for at exit.
FLUSH_S = 5.0

_NO_SIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)  # a program may have set SIGPIPE to kill it
_monotonic = time.monotonic  # programs patch it in tests


class Transport:
    """A socket, what is to be written to it, and who gets what is read."""

    __slots__ = (
        "_blocked",
        "_deaf",
        "_decoder",
        "_dropped",
        "_identity",
        "_lock",
        "_loop",
        "_outbox",
        "_paused",
        "_receiver",
        "_sent",
        "_seq",
        "_sock",
        "_stalled",
        "_unsent",
        "is_lost",
        "open",
        "translate",
    )

    def __init__(self, sock: _socket.socket, loop: Loop, receiver: Receiver) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._identity = identity(sock.fileno())
        self._loop = loop
        self._receiver = receiver
        self._decoder = Decoder()
        self._outbox: deque[Item] = deque()
        self._lock = _thread.RLock()  # guards all below, and the writing end of the socket
        self._unsent = b""  # encoded; written but for what `_sent` adds up to
        self._sent: list[int] = []
        self._seq = 0
        self._deaf = False  # what comes is thrown away
        self._paused = False
        self._blocked = False  # the socket took no more: the agent thread waits for it
        self._stalled = False  # a line has waited in vain: later ones do not
        self._dropped = 0
        self.open = True
        self.is_lost = False  # the program has closed the descriptor
        # Applied to every outgoing message, on whatever thread writes it (path mapping in process).
        self.translate: Callable[[Message], Message] | None = None

    def start(self) -> None:
        """Begin to read. On the agent thread, or before it runs."""
        self._loop.flushers.append(self.drain)
        self._loop.watch(self._sock.fileno(), READ, self._ready)

    # --- out, any thread

    def send(self, message: Message) -> None:
        """Send a message; its `seq` is filled in when it is written."""
        if not self.open:
            return
        self._outbox.append(message)
        if not self._blocked:
            self.drain()

    def send_bytes(self, data: bytes) -> None:
        """Send bytes that are no message: the last word to a peer that does not speak DAP."""
        if self.open:
            self._outbox.append(data)
            self.drain()

    def line(self, origin: object, text: str, line: int = 0) -> None:
        """Send a piece of output soon, in order with everything else."""
        if not self.open:
            return
        if len(self._outbox) >= MAX_LINES and not self._make_room():
            self._dropped += 1
            return
        self._outbox.append((origin, text, line))
        self._loop.wake()

    def drain(self) -> None:
        """Write what the socket takes without blocking; the agent thread does the rest."""
        lock = self._lock
        if lock._is_owned():  # type: ignore[attr-defined]
            return  # a signal handler or finalizer inside our own drain(): that one goes on
        try:
            while self.open and (self._outbox or self._unsent):
                if not lock.acquire(False):
                    return  # its holder looks at the outbox again after releasing
                try:
                    self._write()
                finally:
                    lock.release()
                if self._blocked:
                    return
        except BaseException:
            if lock._is_owned():  # type: ignore[attr-defined]
                lock.release()
            if not self._loop.is_current():
                self._loop.soon(self._go_on)  # what is left here, nobody else would write
            raise

    def _go_on(self) -> None:
        """Write on in the place of a thread that a signal has thrown out of it. On the agent thread."""
        self._blocked = False
        self.drain()
        self._watch_again()

    def flush(self, *, stall_s: float = FLUSH_S) -> bool:
        """Write everything, waiting for the peer as long as it goes on reading. Say whether all is out."""
        return self._push(0, stall_s)

    def _push(self, goal: int, stall_s: float) -> bool:
        """Write until at most `goal` items wait, or nothing moves for `stall_s`."""
        if not self.open:
            return False
        waiting = new_poll()
        waiting.register(self._sock.fileno(), WRITE)
        deadline = _monotonic() + stall_s
        before = (-1, -1)
        while self.open and (len(self._outbox) > goal or not (goal or self._is_idle())):
            self._blocked = False
            self.drain()
            state = (self._seq, sum(self._sent))
            now = _monotonic()
            if state != before:
                before = state
                deadline = now + stall_s
            elif now >= deadline:
                return False
            if self._blocked:
                waiting.poll(50)
            elif len(self._outbox) > goal or self._lock_is_taken():
                new_poll().poll(1)  # another thread is writing
        return self.open

    def _is_idle(self) -> bool:
        """Say whether all is written. What another thread has taken out of the outbox may not be yet."""
        return not (self._outbox or self._unsent or self._lock_is_taken())

    def _lock_is_taken(self) -> bool:
        if not self._lock.acquire(False):
            return True
        self._lock.release()
        return False

    def _make_room(self) -> bool:
        if self._stalled and len(self._outbox) >= MAX_LINES:
            return False
        self._stalled = False
        if self._lock._is_owned():  # type: ignore[attr-defined]
            return False
        if not self._push(MAX_LINES // 2, BACK_PRESSURE_S):
            self._stalled = len(self._outbox) >= MAX_LINES
        return not self._stalled

    # --- writing; the lock is held

    def _write(self) -> None:
        while self.open:
            if not self._unsent:
                self._encode_batch()
                if not self._unsent:
                    return
            done = sum(self._sent)
            if done == len(self._unsent):
                self._unsent, self._sent = b"", []
                continue
            if not self._is_ours():
                self._fail(None)
                return
            view = memoryview(self._unsent)[done:]
            try:
                # extend() and map() are C: the count is recorded even if a signal handler raises
                # as soon as the bytes are gone.
                self._sent.extend(map(self._sock.send, (view,), (_NO_SIGNAL,)))
            except (BlockingIOError, InterruptedError):
                self._blocked = True
                self._loop.soon(self._watch_again)
                return
            except OSError as error:
                self._fail(error)
                return

    def _encode_batch(self) -> None:
        """Take items from the outbox and make `_unsent` of them."""
        taken: deque[Item] = deque()  # the last one first, as extendleft() wants them
        outbox = self._outbox
        parts: list[bytes] = []
        size = 0
        seq = self._seq
        try:
            while outbox and size < WRITE_BYTES:
                taken.extendleft(map(deque.popleft, (outbox,)))  # in C: no signal can strike in between
                item = taken[0]
                if isinstance(item, bytes):
                    data = item
                else:
                    seq += 1
                    data = self._encode(self._join(item, taken) if isinstance(item, tuple) else item, seq)
                parts.append(data)
                size += len(data)
            if self._dropped and not outbox:
                count, self._dropped, self._stalled = self._dropped, 0, False
                text = f"remora: {count} messages were dropped, because the client did not keep up\n"
                seq += 1
                parts.append(self._encode(self._receiver.render("important", text, 0), seq))
            self._unsent, self._seq = b"".join(parts), seq
        except BaseException:
            # A signal handler raised. If it struck before the last step: put back what was taken, in order.
            if not self._unsent:
                outbox.extendleft(taken)
            raise

    def _join(self, first: Line, taken: deque[Item]) -> Message:
        """Make one event of a line and those of the same origin right behind it."""
        origin, text, line = first
        outbox = self._outbox
        texts = [text]
        size = len(text)
        while outbox and size < JOIN_CHARS:
            following = outbox[0]
            if not isinstance(following, tuple) or following[0] is not origin or following[2] != line:
                break
            taken.extendleft(map(deque.popleft, (outbox,)))  # in C, as above
            texts.append(following[1])
            size += len(following[1])
        return self._receiver.render(origin, "".join(texts), line)

    def _encode(self, message: Message, seq: int) -> bytes:
        try:
            if self.translate is not None:
                message = self.translate(message)
            message["seq"] = seq
            data = encode(message)
            if len(data) > MAX_BODY_BYTES:
                raise _TooLarge(f"it would have {len(data) >> 20} MB; the limit is {MAX_BODY_BYTES >> 20}")
            return data
        except (TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
            # Never lose step over one bad message; whoever waits for an answer gets one.
            log_exception("encode", error)
            return encode(_apology(message, seq, error))

    # --- the agent thread

    def pause_reading(self) -> None:
        """Leave what the peer sends in the socket until `resume_reading`. On the agent thread."""
        self._paused = True
        self._watch_again()

    def resume_reading(self) -> None:
        self._paused = False
        self._watch_again()

    def _watch_again(self) -> None:
        if self.open:
            events = (0 if self._paused else READ) | (WRITE if self._blocked else 0)
            self._loop.change(self._sock.fileno(), events)

    def _ready(self, events: int) -> None:
        if events & LOST or not self._is_ours():
            self._lost()
            return
        if events & WRITE:
            self._blocked = False
            self.drain()
            self._watch_again()
        if events & ~WRITE and self.open:
            self._read()

    def _read(self) -> None:
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._fail(error)
            return
        if not data:
            self.close("the peer closed the connection")
            return
        while not self._deaf:
            try:
                messages, problem = self._decoder.feed(data), None
            except FramingError as error:
                messages, problem = error.messages, error
            for message in messages:
                if self.open:
                    self._receiver.received(message)
            if problem is None or not self.open:
                return
            self._receiver.malformed(problem)
            if not problem.recoverable:
                return
            data = b""

    def hang_up(self) -> None:
        """Say no more, and close when the peer does.

        Closing at once, with bytes of the peer's unread, would reset the connection, and the last words
        would be lost on the way.
        """
        self.flush(stall_s=0.2)
        if self.open:
            self._deaf = True
            try:
                self._sock.shutdown(_socket.SHUT_WR)
            except OSError as error:
                self._fail(error)

    def _is_ours(self) -> bool:
        """Say whether the descriptor is still the one we were given."""
        try:
            return identity(self._sock.fileno()) == self._identity
        except OSError:
            return False

    def _fail(self, error: OSError | None) -> None:
        """Give up the connection, from whatever thread; without an error because the descriptor is lost."""
        if error is None:
            end = self._lost
        else:
            reason = f"the connection broke: {error.strerror or error}"

            def end() -> None:
                self.close(reason)

        if self._loop.is_current():
            end()
        else:
            # No more writing from here; reading and closing is the agent thread's.
            self._outbox.clear()
            self._unsent, self._sent = b"", []
            self._loop.soon(end)

    def _lost(self) -> None:
        # The number may be in use by the program again: forget it, never close it.
        if self.open:
            self._stop_watching()
            self._sock.detach()
            self.is_lost = True
            self._receiver.closed("the program closed the descriptor")

    def close(self, reason: str) -> None:
        """Close the socket and tell the receiver, once. On the agent thread."""
        if not self.open:
            return
        log(f"connection closed: {reason}")
        self._stop_watching()
        if not self._is_ours():
            self._sock.detach()
        try:
            self._sock.close()
        except OSError as error:
            log_exception("close", error)
        self._receiver.closed(reason)

    def _stop_watching(self) -> None:
        self.open = False
        self._loop.unwatch(self._sock.fileno())
        if self.drain in self._loop.flushers:
            self._loop.flushers.remove(self.drain)

    def abandon(self) -> None:
        """After fork, in the child: give up our copy of the socket without a word to the peer."""
        self.open = False
        self._outbox.clear()
        try:
            self._sock.close()
        except OSError as error:
            log_exception("close", error)


class _TooLarge(ValueError):
    """A message the other side would not take, and close the connection for."""


def _apology(message: Message, seq: int, error: Exception) -> Message:
    if isinstance(error, _TooLarge):
        text = f"the answer is too large: {error}"
    else:
        text = f"a bug in remora, please report it: the answer cannot be encoded ({error})"
    if message.get("type") == "response":
        return {
            "seq": seq,
            "type": "response",
            "request_seq": message.get("request_seq", 0),
            "command": message.get("command", ""),
            "success": False,
            "message": text,
        }
    return {"seq": seq, "type": "event", "event": "output", "body": {"category": "console", "output": ""}}
