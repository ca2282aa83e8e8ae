"""Children: from the start of four to the first hit in each, and what they cost the program."""

from __future__ import annotations

import time

from benchmarks.family import FEATURES, Family
from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run, fill
from benchmarks.sessions import PROGRAMS, bare, session

PROGRAM = PROGRAMS / "children.py"
CHILDREN = 4
# Way to start them, and the targets in ms: until all have hit, and what they cost.
WAYS: dict[str, tuple[float, float | None]] = {
    "spawn": (250, 80),
    "fork": (80, 30),
    "forkserver": (250, None),
    "popen": (200, 80),
}


def to_first_hits(contender: Contender, way: str) -> float:
    """From the start of four children to the stop of the last, in ms."""
    with session(contender, PROGRAM, way, features=FEATURES) as root:
        root.break_at("ready")
        root.go()
        stopped = root.stopped()
        family = Family(root, PROGRAM, "hit")
        try:
            began = time.perf_counter()
            root.wire.send("continue", {"threadId": stopped["threadId"]})
            family.wait_hits(CHILDREN)
            return (max(family.hits) - began) * 1e3
        finally:
            family.close()


def whole_run(contender: Contender, way: str) -> float:
    """How long the program takes for its four children, in ms; a client attaches to each."""
    if contender is Contender.BARE:
        return float(bare(PROGRAM, way)) * 1e3
    with session(contender, PROGRAM, way, features=FEATURES) as root:
        root.go()
        family = Family(root, PROGRAM)
        try:
            return float(root.finish()) * 1e3
        finally:
            family.close()


def measure(run: Run) -> list[Figure]:
    figures = []
    for way, (limit, _) in WAYS.items():
        samples, failures = run.take(
            {
                contender: lambda contender=contender, way=way: to_first_hits(contender, way)
                for contender in (Contender.DEBUGPY, Contender.REMORA)
            }
        )
        figure = Figure(f"four children to the first hit of each: {way}", "ms", at_most=limit)
        figures.append(fill(figure, samples, failures))
    for way, (_, cost) in WAYS.items():
        if cost is None:
            continue
        samples, failures = run.take(
            {
                contender: lambda contender=contender, way=way: whole_run(contender, way)
                for contender in (Contender.BARE, Contender.DEBUGPY, Contender.REMORA)
            }
        )
        figure = Figure(f"four children without breakpoints, over bare: {way}", "ms", at_most=cost)
        figure.failures.update(failures)
        for contender, times in samples.items():
            if contender is not Contender.BARE:
                for time_ms, bare_ms in zip(times, samples[Contender.BARE], strict=False):
                    figure.add(contender, time_ms - bare_ms)
        figures.append(figure)
    return figures
