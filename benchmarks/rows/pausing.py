"""Pause a busy loop; see the stack of a thread that sits in C; see 200 stacks."""

from __future__ import annotations

import time

from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run, fill
from benchmarks.sessions import PROGRAMS, Session, session

PROGRAM = PROGRAMS / "busy.py"
PAUSES = 5


def ready(client: Session) -> None:
    client.filters("uncaught")
    client.go()
    assert client.process is not None and client.process.stdout is not None
    client.process.stdout.readline()


def pause_busy(contender: Contender) -> float:
    """Median time in ms from `pause` to `stopped`."""
    with session(contender, PROGRAM, "busy") as client:
        ready(client)
        times = []
        for _ in range(PAUSES):
            began = time.perf_counter()
            client.wire.send("pause", {"threadId": 1})
            stop = client.stopped()
            times.append((time.perf_counter() - began) * 1e3)
            client.resume(stop["threadId"])
        return sorted(times)[PAUSES // 2]


def pause_blocked(contender: Contender) -> float:
    """Time in ms from `pause` until the stack of the sleeping main thread is known."""
    with session(contender, PROGRAM, "blocked") as client:
        ready(client)
        began = time.perf_counter()
        client.wire.send("pause", {"threadId": 1})
        thread_id = client.stopped()["threadId"]
        frames = client.wire.request("stackTrace", {"threadId": thread_id})["stackFrames"]
        assert frames
        return (time.perf_counter() - began) * 1e3


def two_hundred(contender: Contender) -> float:
    """Time in s for all stacks, one request after the other."""
    with session(contender, PROGRAM, "threads") as client:
        ready(client)
        client.wire.send("pause", {"threadId": 1})
        client.stopped()
        threads = client.wire.request("threads")["threads"]
        assert len(threads) >= 201, len(threads)
        began = time.perf_counter()
        for thread in threads:
            client.wire.request("stackTrace", {"threadId": thread["id"], "levels": 20}, timeout_s=60)
        return time.perf_counter() - began


def measure(run: Run) -> list[Figure]:
    figures = []
    for what, unit, limit, action, once in (
        ("pause of a busy loop", "ms", 5.0, pause_busy, False),
        ("pause and stack of a thread blocked in C", "ms", 50.0, pause_blocked, False),
        ("stacks of 200 waiting threads", "s", 0.3, two_hundred, True),
    ):
        contenders = {Contender.REMORA: lambda action=action: action(Contender.REMORA)}
        if not (once and run.quick):
            contenders[Contender.DEBUGPY] = lambda action=action: action(Contender.DEBUGPY)
        samples, failures = run.take(contenders, once=frozenset({Contender.DEBUGPY}) if once else frozenset())
        figures.append(fill(Figure(what, unit, at_most=limit), samples, failures))
    return figures
