"""A client of a whole family: attaches to every child it is told of, each on a connection of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.sessions import PATIENCE_S, Session
from benchmarks.wire import Closed, Message, Silence, Wire

FEATURES = {"supportsStartDebuggingRequest": True}
# Long past what any contender takes when all goes well.
HITS_S = 20.0


class Family:
    """Drives the root's connection on a thread of its own, and every child's on one more.

    `markers` are where each child stops once; `hits` are the moments (`time.perf_counter`) of these stops.
    """

    def __init__(self, root: Session, program: Path, *markers: str) -> None:
        self.root = root
        self.hits: list[float] = []
        self._program = program
        self._markers = markers
        self._lock = threading.Lock()  # guards `hits`, `_wires` and `_threads`
        self._hit = threading.Condition(self._lock)
        self._wires: list[Wire] = []
        self._threads: list[threading.Thread] = []
        self._hear(root.wire)
        self._start(self._listen)

    def wait_hits(self, count: int) -> None:
        with self._hit:
            if not self._hit.wait_for(lambda: len(self.hits) >= count, HITS_S):
                raise Silence(f"{len(self.hits)} of {count} children have stopped")

    def close(self) -> None:
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            with contextlib.suppress(OSError):
                wire._owner.shutdown(2)
        for thread in self._threads[1:]:
            thread.join(10)

    def _start(self, action: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=action, args=arguments, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(Closed, OSError, Silence):
            while True:
                self.root.wire.receive(PATIENCE_S)

    def _hear(self, wire: Wire) -> None:
        """Attach to the children that are announced on this connection, those already announced too."""
        wire.on_message = lambda message: self._from_adapter(wire, message)
        for message in wire.backlog:
            self._from_adapter(wire, message)

    def _from_adapter(self, wire: Wire, message: Message) -> None:
        if message["type"] == "request" and message["command"] == "startDebugging":
            wire.send_message(
                {
                    "seq": 1_000_000 + message["seq"],
                    "type": "response",
                    "request_seq": message["seq"],
                    "command": "startDebugging",
                    "success": True,
                }
            )
            self._start(self._child, message["arguments"]["configuration"])

    def _child(self, configuration: Message) -> None:
        connect = configuration["connect"]
        with contextlib.suppress(Closed, OSError, Silence):
            wire = Wire.connect(connect["host"], connect["port"])
            with self._lock:
                self._wires.append(wire)
            session = Session(wire, None, self._program)
            self._hear(wire)  # debugpy tells a fork server's children there
            session.begin("attach", configuration, FEATURES)
            if self._markers:
                session.break_at(*self._markers)
            session.go()
            if self._markers:
                stopped = session.stopped()
                with self._hit:
                    self.hits.append(time.perf_counter())
                    self._hit.notify_all()
                session.break_at()
                session.resume(stopped["threadId"])
            session.wire.event("terminated", timeout_s=PATIENCE_S)
            session.wire.request("disconnect", {})
            wire.close()
