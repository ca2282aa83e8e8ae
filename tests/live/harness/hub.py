"""A hub of the fewest lines, for tests of members: it takes their calls and says what the test wants."""

from __future__ import annotations

import json
import os
import queue
import socket
import threading

from remora.agent.family import INHERIT
from remora.dap.framing import encode
from remora.dap.hello import GO
from unit.agent.raw import TIMEOUT_S, RawClient


class Member(RawClient):
    """The hub's end of a member's connection."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.hello = self.event("remoraHello")

    def let_go(self) -> None:
        self.sock.sendall(encode({"seq": 0, "type": "event", "event": GO, "body": {}}))

    def configure(self, *breakpoints: tuple[str, int], **arguments: object) -> None:
        """Attach, set breakpoints (file, line), and let it run."""
        seq = self.attach(**arguments)
        for path in {path for path, _ in breakpoints}:
            lines = [{"line": line} for file, line in breakpoints if file == path]
            self.request("setBreakpoints", {"source": {"path": path}, "breakpoints": lines})
        self.configured(seq)


class FakeHub:
    """Listens for members; each is let go at once, or handed to the test."""

    def __init__(self, *, lets_go: bool = True) -> None:
        self.lets_go = lets_go
        self.members: queue.Queue[Member] = queue.Queue()
        self.taken: list[Member] = []
        self.name = f"\0remora-test-{os.urandom(8).hex()}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.name)
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            try:
                member = Member(sock)
                self.taken.append(member)
                if self.lets_go:
                    member.let_go()
            except (EOFError, OSError):
                continue
            self.members.put(member)

    def next(self) -> Member:
        return self.members.get(timeout=TIMEOUT_S)

    def environment(self, **more: str | None) -> dict[str, str]:
        """The environment of a child of a process of this family; None takes a variable out."""
        kin = {"address": {"unix": self.name}, "secret": "the secret", "parent": os.getpid()}
        wished = {**os.environ, "REMORA_FAMILY": json.dumps(kin), "PYTHONPATH": INHERIT, **more}
        return {name: value for name, value in wished.items() if value is not None}

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(TIMEOUT_S)
        for member in self.taken:
            member.close()
