"""One byte stream with DAP on it, a client's or an agent's: bytes in, messages to its owner; messages out.

Lives on the loop's thread only. Bytes that are no DAP are refused with one line and the connection closed.
What a peer is slow to read is kept for it. One that has more than `SLOW_BYTES` waiting and takes nothing for
`STALL_S` is dropped; beyond `CROWDED_BYTES` the owner is asked to hold back its sources, since a peer that is
slow but alive must lose nothing.
"""

from __future__ import annotations

import socket

from remora.dap.framing import HTTP, TLS, Decoder, FramingError, encode
from remora.hub.access import Peer, behind
from remora.hub.loop import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Owner(Protocol):
        """Who gets what arrives. `lost` comes exactly once, and last."""

        def received(self, connection: Connection, message: dict[str, Any]) -> None: ...
        def malformed(self, connection: Connection, error: FramingError) -> None: ...
        def lost(self, connection: Connection) -> None: ...
        def crowded(self, connection: Connection, *, yes: bool) -> None: ...


SLOW_BYTES = 1 << 20
# A flood of log messages makes some 8 MB/s: sources are not held (the debuggee would feel it) before a peer
# has had the time to stall.
CROWDED_BYTES = 64 << 20
STALL_S = 8.0
# How long a refused peer may take to read why.
REFUSAL_S = 2.0

_WHY = (
    "This port speaks the Debug Adapter Protocol (remora): connect a debugger to it, "
    "for example `remora attach HOST:PORT`.\n"
)


# What the kernel has is read in here, by every connection: the decoder copies it before anything else runs.
# asyncio's own way allocates 256 KiB for each read, which stay with a process that then waits for days.
_INBOX = bytearray(64 << 10)


class Connection(asyncio.BufferedProtocol):
    """A stream and its owner, who may change once (when the first message tells client from agent)."""

    def __init__(self, owner: Owner, *, max_body_bytes: int = 64 << 20) -> None:
        self.owner = owner
        self.peer = Peer("private")
        self.stall_s = STALL_S
        self._decoder = Decoder(max_body_bytes=max_body_bytes)
        self._transport: Any = None
        self._out: Any = None
        self._seen_message = False
        self._slow = False
        self._crowded = False
        self._closing = False
        self._written_bytes = 0  # handed to the transport: the peer's, or still waiting there
        self._stall: asyncio.TimerHandle | None = None

    # Called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if self._out is None:
            self._use_for_writing(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            tune(sock)
            self.peer = Peer("tcp", sock.getsockname(), transport.get_extra_info("peername"))
        elif sock is not None:
            self.peer = behind(sock)
        made = getattr(self.owner, "made", None)
        if made is not None:
            made(self)

    def get_buffer(self, sizehint: int) -> bytearray:
        return _INBOX

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(memoryview(_INBOX)[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """Take bytes; called by the loop itself where it reads a pipe."""
        while not self._closing:
            try:
                messages = self._decoder.feed(data)
                error = None
            except FramingError as failure:
                messages = failure.messages
                error = failure
            for message in messages:
                self._seen_message = True
                self.owner.received(self, message)
                if self._closing:
                    return
            if error is None:
                return
            if not self._seen_message and not error.recoverable:
                self.refuse(error)
                return
            self.owner.malformed(self, error)
            if not error.recoverable:
                return
            data = b""

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._cancel_stall()
        if self._out is not None and self._out is not self._transport:
            self._out.close()
        self.owner.lost(self)

    def pause_writing(self) -> None:
        self._slow = True
        self._watch_stall()

    def resume_writing(self) -> None:
        self._slow = False
        self._cancel_stall()
        if self._crowded:
            self._crowded = False
            self.owner.crowded(self, yes=False)

    # Called by owners.

    @property
    def is_closing(self) -> bool:
        """True from `close` on."""
        return self._closing

    def write_to(self, transport: Any) -> None:
        """Send through another transport than the one read from (stdio: two pipes)."""
        self._use_for_writing(transport)

    def send(self, message: dict[str, Any]) -> None:
        """Queue one message; never blocks. After `close` it goes nowhere."""
        if not self._closing and self._out is not None:
            data = encode(message)
            self._written_bytes += len(data)
            self._out.write(data)
            if self._slow and not self._crowded and self._out.get_write_buffer_size() > CROWDED_BYTES:
                self._crowded = True
                self.owner.crowded(self, yes=True)

    def close(self) -> None:
        """Close after what is queued has gone out (or the peer stalls)."""
        if self._closing:
            return
        self._closing = True
        if self._transport is None:
            return
        if self._out is not self._transport:
            self._out.close()
        self._transport.close()
        if self._stall is None and self._out.get_write_buffer_size():
            self._watch_stall()

    def abort(self) -> None:
        """Close at once; what is queued is lost."""
        self._closing = True
        for transport in (self._out, self._transport):
            if transport is not None:
                transport.abort() if hasattr(transport, "abort") else transport.close()

    def hold_reading(self, *, yes: bool) -> None:
        """Stop taking bytes (the other side is crowded), or take them again."""
        if self._transport is None or self._closing:
            return
        if yes:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def refuse(self, error: FramingError) -> None:
        """Tell a stranger in one line what this port is, and close."""
        self._closing = True
        if error.reason == HTTP:
            answer = (
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
                f"Content-Length: {len(_WHY)}\r\nConnection: close\r\n\r\n{_WHY}"
            )
        elif error.reason == TLS:
            answer = "This port speaks plain text, not TLS. " + _WHY
        else:
            answer = error.text + ". " + _WHY
        self._out.write(answer.encode("utf-8", "replace"))
        # Not closed at once: closing with unread input resets the connection, and the line would be lost.
        if self._out.can_write_eof():
            self._out.write_eof()
        asyncio.get_running_loop().call_later(REFUSAL_S, self.abort)

    # Inside.

    def _use_for_writing(self, transport: Any) -> None:
        self._out = transport
        transport.set_write_buffer_limits(high=SLOW_BYTES, low=SLOW_BYTES // 4)

    def _watch_stall(self) -> None:
        self._cancel_stall()
        later = asyncio.get_running_loop().call_later
        self._stall = later(self.stall_s, self._check_stall, self._taken_bytes())

    def _taken_bytes(self) -> int:
        # Not the size of what waits: with a source faster than the peer that grows however much it reads.
        taken: int = self._written_bytes - self._out.get_write_buffer_size()
        return taken

    def _check_stall(self, before: int) -> None:
        self._stall = None
        if self._taken_bytes() <= before:
            self.abort()
        else:
            self._watch_stall()

    def _cancel_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


class Valve(asyncio.BaseProtocol):
    """The protocol of a pipe that is only written to: tells its connection when it is full."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.abort()


def tune(sock: socket.socket) -> None:
    """Small messages go out at once (Nagle's algorithm costs 40 ms a request); dead peers are noticed."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
