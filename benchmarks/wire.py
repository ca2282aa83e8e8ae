"""A DAP client that adds as little as possible: one thread, blocking, no callbacks.

It drives debugpy and remora alike, so it knows neither. The live tests use it too, because it can send what
no decent client would (raw bytes, sequence numbers that go backwards), and is not the code under test.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any

type Message = dict[str, Any]

DEFAULT_TIMEOUT_S = 20.0


class Refused(Exception):
    """A response with success: false; `message` is the whole response."""

    def __init__(self, message: Message) -> None:
        self.message = message
        error = (message.get("body") or {}).get("error") or {}
        text = error.get("format", "")
        for name, value in (error.get("variables") or {}).items():
            text = text.replace("{" + name + "}", value)
        self.text = text or message.get("message", "")
        super().__init__(f"{message.get('command')}: {self.text}")


class Closed(Exception):
    """The other side closed the connection."""


class Silence(TimeoutError):
    """Nothing that was waited for came; the text tells what did."""


class Wire:
    def __init__(self, read_fd: int, write_fd: int, *, owner: Any = None) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._owner = owner  # keeps a socket or a process alive
        self._buffer = bytearray()
        self._seq = 0
        self._poll = select.poll()
        self._poll.register(read_fd, select.POLLIN | select.POLLHUP)
        self.backlog: list[Message] = []  # received, and not yet taken
        self.transcript: list[tuple[str, Message]] = []  # ">" sent, "<" received
        self.keep_transcript = True
        self.on_message: Callable[[Message], None] | None = None
        self.closed = False

    @classmethod
    def connect(cls, host: str, port: int, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Wire:
        """Connect as soon as somebody listens there."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                connection = socket.create_connection((host, port), timeout=timeout_s)
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.002)
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(connection.fileno(), connection.fileno(), owner=connection)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if isinstance(self._owner, socket.socket):
                self._owner.close()
            else:
                for fd in {self._read_fd, self._write_fd}:
                    os.close(fd)

    def send_raw(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._write_fd, view) :]

    def send(self, command: str, arguments: object = None, *, seq: int | None = None) -> int:
        """Send a request and return its sequence number; None sends no `arguments` at all."""
        if seq is None:
            self._seq += 1
            seq = self._seq
        message: Message = {"seq": seq, "type": "request", "command": command}
        if arguments is not None:
            message["arguments"] = arguments
        self.send_message(message)
        return seq

    def send_message(self, message: Message) -> None:
        if self.keep_transcript:
            self.transcript.append((">", message))
        body = json.dumps(message).encode()
        self.send_raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def receive(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> Message:
        """Return the next message from the stream, whatever it is."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self._parse()
            if message is not None:
                if self.keep_transcript:
                    self.transcript.append(("<", message))
                if self.on_message is not None:
                    self.on_message(message)
                return message
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not self._poll.poll(left_s * 1000):
                raise Silence(f"nothing for {timeout_s:g} s")
            try:
                data = os.read(self._read_fd, 1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed("the other side closed the connection")
            self._buffer += data

    def _parse(self) -> Message | None:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        name, _, value = head.partition(b": ")
        if name != b"Content-Length" or b"\r\n" in value:
            raise ValueError(f"not exactly one Content-Length header: {bytes(head)!r}")
        length = int(value)
        if len(rest) < length:
            return None
        del self._buffer[: len(head) + 4 + length]
        body = bytes(rest[:length])
        if not body.isascii():
            raise ValueError("the body is not ASCII: clients that count characters would lose the thread")
        message: Message = json.loads(body)
        return message

    def take(
        self, wanted: Callable[[Message], bool], what: str, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> Message:
        """Return the first message that `wanted` accepts, out of the backlog or the stream."""
        for index, message in enumerate(self.backlog):
            if wanted(message):
                return self.backlog.pop(index)
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                message = self.receive(max(0.0, deadline - time.monotonic()))
            except Silence:
                seen = ", ".join(_short(message) for message in self.backlog) or "nothing"
                raise Silence(f"no {what} within {timeout_s:g} s; not taken so far: {seen}") from None
            except Closed:
                raise Closed(f"the connection was closed while waiting for {what}") from None
            if wanted(message):
                return message
            self.backlog.append(message)

    def response(self, seq: int, timeout_s: float = DEFAULT_TIMEOUT_S) -> Message:
        return self.take(
            lambda message: message["type"] == "response" and message["request_seq"] == seq,
            f"response to request {seq}",
            timeout_s,
        )

    def result(self, seq: int, timeout_s: float = DEFAULT_TIMEOUT_S) -> Message:
        """Return the body of the response to `seq`; raise Refused if it failed."""
        response = self.response(seq, timeout_s)
        if response["success"] is not True:
            raise Refused(response)
        body: Message = response.get("body") or {}
        return body

    def request(
        self, command: str, arguments: object = None, *, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> Message:
        return self.result(self.send(command, arguments), timeout_s)

    def event(
        self,
        name: str,
        where: Callable[[Message], bool] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Message:
        """Return the body of the first such event not yet taken."""
        message = self.take(
            lambda message: (
                message["type"] == "event"
                and message["event"] == name
                and (where is None or where(message.get("body", {})))
            ),
            f"event {name}",
            timeout_s,
        )
        body: Message = message.get("body", {})  # debugpy's events may have none
        return body


def _short(message: Message) -> str:
    match message["type"]:
        case "event":
            return f"event {message['event']}"
        case "response":
            return f"response {message['command']} {'ok' if message['success'] else 'failed'}"
    return str(message["type"])
