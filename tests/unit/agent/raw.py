"""A DAP client of the fewest lines, for tests of the agent: nothing between the test and the wire."""

from __future__ import annotations

import socket
from typing import Any

from remora.dap.check import check_message
from remora.dap.framing import Decoder, encode

TIMEOUT_S = 20.0


class RawClient:
    """Sends requests, keeps everything that comes, in order, and checks each message against the spec."""

    def __init__(self, address: tuple[str, int] | socket.socket) -> None:
        self.sock = address if isinstance(address, socket.socket) else socket.create_connection(address)
        self.sock.settimeout(TIMEOUT_S)
        self.seq = 0
        self.seen: list[dict[str, Any]] = []
        self._at = 0  # events up to here have been asked for
        self._decoder = Decoder()

    def send(self, command: str, arguments: Any = None) -> int:
        self.seq += 1
        message = {"seq": self.seq, "type": "request", "command": command}
        if arguments is not None:
            message["arguments"] = arguments
        self.sock.sendall(encode(message))
        return self.seq

    def receive(self) -> None:
        """Take in at least one more message; EOFError at the end of the stream."""
        before = len(self.seen)
        while len(self.seen) == before:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError
            for message in self._decoder.feed(data):
                if message.get("event") != "remoraHello":
                    assert check_message(message) == [], message
                self.seen.append(message)

    def answer(self, seq: int) -> dict[str, Any]:
        """Return the response to a request, seen already or yet to come."""
        at = 0
        while True:
            for message in self.seen[at:]:
                if message["type"] == "response" and message["request_seq"] == seq:
                    return message
            at = len(self.seen)
            self.receive()

    def request(self, command: str, arguments: Any = None) -> dict[str, Any]:
        """Send a request and return the body of its answer, which must be a success."""
        answer = self.answer(self.send(command, arguments))
        assert answer["success"] is True, answer
        return answer.get("body") or {}

    def refused(self, command: str, arguments: Any = None) -> dict[str, Any]:
        """Send a request and return the error of its answer, which must be a failure."""
        answer = self.answer(self.send(command, arguments))
        assert answer["success"] is False, answer
        error: dict[str, Any] = answer["body"]["error"]
        error["text"] = answer["message"]
        return error

    def event(self, name: str) -> dict[str, Any]:
        """Return the body of the next event of that name, behind the last one that was asked for."""
        while True:
            while self._at < len(self.seen):
                message = self.seen[self._at]
                self._at += 1
                if message["type"] == "event" and message["event"] == name:
                    body: dict[str, Any] = message["body"]
                    return body
            self.receive()

    def attach(self, **arguments: Any) -> int:
        """Do initialize and attach; return the seq of attach, which is answered after configurationDone."""
        self.request("initialize", {"adapterID": "remora", "clientName": "raw"})
        seq = self.send("attach", arguments)
        self.event("initialized")
        return seq

    def configured(self, attach_seq: int) -> None:
        self.request("configurationDone")
        assert self.answer(attach_seq)["success"] is True

    def to_end(self) -> None:
        """Receive until the other side closes."""
        try:
            while True:
                self.receive()
        except (EOFError, ConnectionResetError):
            return

    def output(self, category: str | None = None) -> str:
        return "".join(
            message["body"]["output"]
            for message in self.seen
            if message.get("event") == "output" and category in (None, message["body"].get("category"))
        )

    def close(self) -> None:
        self.sock.close()
