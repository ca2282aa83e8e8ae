"""Bytes to messages and back: `Content-Length: N`, an empty line, N bytes of JSON.

Values in, values out: no socket, no thread. One `Decoder` belongs to one stream and one reader.

Strict in what it sends (exactly one header, ASCII-only JSON: some clients count characters, not
bytes), lenient in what it takes (any case, other headers, spaces). Bytes that are not DAP at all
are recognised from their first ones, before anything is waited for, so that whoever owns the
socket can refuse a browser or a TLS client with one line instead of hanging.

Source: DAP, overview, "Base Protocol".
"""

from __future__ import annotations

from remora.dap import json_text
from remora.dap.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_HEADER_BYTES = 4096
MAX_BODY_BYTES = 64 << 20

# Why a stream is not DAP. `FramingError.reason` is one of these.
HTTP = "http"
TLS = "tls"
GARBAGE = "garbage"  # the first bytes are no header
HEADER = "header"  # a header, but ill-formed or without a usable length
TOO_LARGE = "too-large"
BODY = "body"  # well framed, but not UTF-8, not JSON, or no object

_HTTP_METHODS = (
    b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"DELETE ", b"CONNECT ", b"PATCH ", b"TRACE ", b"PRI ",
)  # fmt: skip
_USUAL = b"Content-Length: "
_LONGEST_METHOD = max(len(method) for method in _HTTP_METHODS)


class FramingError(ProtocolError):
    """The bytes are not a message. `reason` is one of the constants above.

    `messages` are the complete ones that came before it in the same `feed()`. If `recoverable`, the
    stream is still in step: `feed(b"")` goes on behind the bad body. If not, every later `feed()`
    raises the same error, and the connection should be closed.
    """

    default_id = 1100

    def __init__(self, text: str, reason: str, *, recoverable: bool = False) -> None:
        super().__init__("{text}", variables={"text": text})
        self.reason = reason
        self.recoverable = recoverable
        self.messages: list[dict[str, Any]] = []


def encode(message: Mapping[str, Any]) -> bytes:
    """Return the bytes of one message. TypeError for what JSON cannot say."""
    body = json_text.encode(message).encode("ascii")
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Decoder:
    """Feed bytes as they come, get messages as they complete."""

    __slots__ = ("_body_bytes", "_buffer", "_failed", "_max_body_bytes", "_max_header_bytes")

    def __init__(
        self, *, max_header_bytes: int = MAX_HEADER_BYTES, max_body_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self._max_header_bytes = max_header_bytes
        self._max_body_bytes = max_body_bytes
        self._buffer = bytearray()
        self._body_bytes = -1  # length of the body being read; -1: reading a header
        self._failed: FramingError | None = None

    @property
    def pending_bytes(self) -> int:
        """Bytes held of a message that is not complete: not 0 at end of stream means it was cut off."""
        return len(self._buffer) or int(self._body_bytes >= 0)

    def feed(self, data: bytes | bytearray | memoryview) -> list[dict[str, Any]]:
        """Return the messages that `data` completes, in order. Raise FramingError (see there)."""
        if self._failed is not None:
            raise self._failed
        self._buffer += data
        messages: list[dict[str, Any]] = []
        try:
            while True:
                if self._body_bytes < 0 and not self._read_header():
                    return messages
                size = self._body_bytes
                if len(self._buffer) < size:
                    return messages
                body = bytes(memoryview(self._buffer)[:size])
                del self._buffer[:size]
                self._body_bytes = -1
                messages.append(_parse_body(body))
        except FramingError as error:
            error.messages = messages
            if not error.recoverable:
                self._failed = FramingError(error.text, error.reason)
                self._buffer.clear()
            raise

    def _read_header(self) -> bool:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", 0, self._max_header_bytes + 4)
        if end < 0:
            if buffer:
                self._check_start()
            if b"\n\n" in buffer[: self._max_header_bytes]:
                raise FramingError("header lines must end with CR LF, not with LF alone", HEADER)
            if len(buffer) > self._max_header_bytes:
                raise FramingError(f"the header is longer than {self._max_header_bytes} bytes", HEADER)
            return False
        # What nearly every peer sends; the rest is looked at closely.
        if buffer.startswith(_USUAL) and buffer[len(_USUAL) : end].isdigit() and end < 36:
            size = int(buffer[len(_USUAL) : end])
        else:
            self._check_start()
            size = _parse_header(bytes(buffer[:end]))
        if size > self._max_body_bytes:
            raise FramingError(
                f"a message of {size} bytes is announced; the limit is {self._max_body_bytes}", TOO_LARGE
            )
        del buffer[: end + 4]
        self._body_bytes = size
        return True

    def _check_start(self) -> None:
        """Recognise what is not a DAP header by its first bytes, without waiting for the rest."""
        start = bytes(self._buffer[:_LONGEST_METHOD])
        if start.startswith(_HTTP_METHODS):
            raise FramingError("this is an HTTP request, but the port speaks DAP", HTTP)
        if start[:1] == b"\x16" and start[1:2] in (b"", b"\x03"):
            raise FramingError("this is a TLS handshake, but the port speaks DAP in plain text", TLS)
        if not start[:1].isalpha() and start[:1] not in b"\r\n \t":
            raise FramingError(f"expected 'Content-Length: N', got {start!r}", GARBAGE)


def _parse_header(header: bytes) -> int:
    size = -1
    for line in header.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            raise FramingError(f"expected 'Content-Length: N', got {_short(line)}", HEADER)
        if name.strip().lower() != b"content-length":
            continue
        digits = value.strip()
        # isdigit() of bytes is ASCII only; 18 digits are far above any limit, and int() of thousands is slow.
        if not digits.isdigit() or len(digits) > 18:
            raise FramingError(f"Content-Length must be a number of bytes, got {_short(digits)}", HEADER)
        if size >= 0 and size != int(digits):
            raise FramingError(f"two different Content-Length headers: {size} and {int(digits)}", HEADER)
        size = int(digits)
    if size < 0:
        raise FramingError(f"the header has no Content-Length: {_short(header)}", HEADER)
    return size


def _parse_body(body: bytes) -> dict[str, Any]:
    try:
        message = json_text.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8"
    except RecursionError:
        problem = "it is nested too deeply"
    except ValueError as error:
        problem = str(error)
    else:
        if isinstance(message, dict):
            return message
        problem = f"a message is a JSON object, this is {_short(body)}"
    raise FramingError(f"ill-formed message of {len(body)} bytes: {problem}", BODY, recoverable=True)


def _short(data: bytes) -> str:
    return repr(data if len(data) <= 60 else data[:60] + b"...")[1:]
