"""Big things in small pieces: a page of a list of a million, 20 of 5,000 frames, a step at that depth."""

from __future__ import annotations

import statistics
import time

from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run, fill
from benchmarks.sessions import PROGRAMS, session

PROGRAM = PROGRAMS / "deep.py"
REPEATS = 7


def deep(contender: Contender) -> tuple[float, float, float]:
    """Times in ms: a page, 20 frames, a step."""
    with session(contender, PROGRAM) as client:
        client.break_at("deep")
        client.filters("uncaught")
        client.go()
        thread_id = client.stopped()["threadId"]
        frames_ms, page_ms, step_ms = [], [], []
        for turn in range(REPEATS):
            began = time.perf_counter()
            frames = client.wire.request("stackTrace", {"threadId": thread_id, "startFrame": 0, "levels": 20})
            frames_ms.append((time.perf_counter() - began) * 1e3)
            big = client.wire.request(
                "evaluate",
                {"expression": "big", "frameId": frames["stackFrames"][0]["id"], "context": "watch"},
            )
            page = {
                "variablesReference": big["variablesReference"],
                "filter": "indexed",
                "start": 100_000 * turn + 50_000,
                "count": 100,
            }
            began = time.perf_counter()
            client.wire.request("variables", page)
            page_ms.append((time.perf_counter() - began) * 1e3)
            began = time.perf_counter()
            client.wire.send("next", {"threadId": thread_id})
            client.stopped()
            step_ms.append((time.perf_counter() - began) * 1e3)
        return statistics.median(page_ms), statistics.median(frames_ms), statistics.median(step_ms)


def measure(run: Run) -> list[Figure]:
    samples, failures = run.take(
        {
            Contender.DEBUGPY: lambda: deep(Contender.DEBUGPY),
            Contender.REMORA: lambda: deep(Contender.REMORA),
        }
    )
    figures = []
    for index, (what, limit) in enumerate(
        (
            ("100 items anywhere in a list of 10⁶", 2.0),
            ("20 of 5,000 frames", 3.0),
            ("a step at that depth", 2.0),
        )
    ):
        values = {contender: [sample[index] for sample in taken] for contender, taken in samples.items()}
        note = "debugpy ignores paging and sends the first 300" if index == 0 else ""
        figures.append(fill(Figure(what, "ms", at_most=limit, note=note), values, failures))
    return figures
