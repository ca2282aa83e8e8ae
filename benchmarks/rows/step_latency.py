"""From `next` to `stopped`, bare and with what an editor asks after each stop."""

from __future__ import annotations

import statistics
import time

from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run, fill
from benchmarks.sessions import PROGRAMS, Session, session

PROGRAM = PROGRAMS / "walk.py"


def look(client: Session, thread_id: int) -> None:
    """What an editor asks for: 20 frames, the scopes of the first, the variables of the first scope."""
    frames = client.wire.request("stackTrace", {"threadId": thread_id, "levels": 20})["stackFrames"]
    scopes = client.wire.request("scopes", {"frameId": frames[0]["id"]})["scopes"]
    client.wire.request("variables", {"variablesReference": scopes[0]["variablesReference"]})


def walk(contender: Contender, steps: int, *, looking: bool) -> float:
    """Median time of a step, in ms."""
    with session(contender, PROGRAM) as client:
        client.break_at("walk")
        client.filters("uncaught")
        client.go()
        thread_id = client.stopped()["threadId"]
        client.break_at()
        times_s = []
        for _ in range(steps):
            began = time.perf_counter()
            client.wire.send("next", {"threadId": thread_id})
            client.stopped()
            if looking:
                look(client, thread_id)
            times_s.append(time.perf_counter() - began)
        return statistics.median(times_s) * 1e3


def measure(run: Run) -> list[Figure]:
    steps = 50 if run.quick else 200
    figures = []
    for looking, what, limit in (
        (False, "next → stopped, median", 1.0),
        (True, "the same with stackTrace, scopes, variables", 3.0),
    ):
        samples, failures = run.take(
            {
                Contender.DEBUGPY: lambda look=looking: walk(Contender.DEBUGPY, min(steps, 50), looking=look),
                Contender.REMORA: lambda look=looking: walk(Contender.REMORA, steps, looking=look),
            }
        )
        figures.append(fill(Figure(what, "ms", at_most=limit), samples, failures))
    return figures
