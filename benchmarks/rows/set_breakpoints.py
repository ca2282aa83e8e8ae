"""setBreakpoints in a loaded file of 20,000 lines, and a second time with one more."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run
from benchmarks.sessions import Session, session

FUNCTIONS = 5_000


def long_file(folder: Path) -> Path:
    path = folder / "long.py"
    functions = "".join(f"def f{n}(a):\n    a += {n}\n    return a\n\n" for n in range(FUNCTIONS))
    path.write_text(functions + "print('loaded')  # @loaded\n")
    return path


def timed_set(client: Session, lines: list[int]) -> float:
    began = time.perf_counter()
    client.break_at("loaded", *({"line": line} for line in lines))
    return (time.perf_counter() - began) * 1e3


def set_twice(contender: Contender, count: int, path: Path) -> tuple[float, float]:
    """Times in ms: the first time, and again with one breakpoint more."""
    with session(contender, path) as client:
        client.break_at("loaded")
        client.filters("uncaught")
        client.go()
        client.stopped()
        step = FUNCTIONS // (count + 1)
        lines = [4 * step * n + 2 for n in range(count)]
        first = timed_set(client, lines)
        # Asking debugpy a second time would double the minute and a half.
        again = timed_set(client, [*lines, 4 * FUNCTIONS - 2]) if contender is Contender.REMORA else 0.0
        return first, again


def measure(run: Run) -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        path = long_file(Path(folder))
        second = Figure("a second time, with one more", "ms", at_most=10, note="after 1,000")
        for count, limit in ((1, 20.0), (100, 30.0), (1000, 60.0)):
            contenders = {Contender.REMORA: lambda n=count: set_twice(Contender.REMORA, n, path)}
            if not (run.quick and count > 1):
                contenders[Contender.DEBUGPY] = lambda n=count: set_twice(Contender.DEBUGPY, n, path)
            samples, failures = run.take(contenders, once=frozenset({Contender.DEBUGPY}))
            figure = Figure(f"setBreakpoints, {count:,} in a 20,000-line file", "ms", at_most=limit)
            for contender, values in samples.items():
                for first, again in values:
                    figure.add(contender, first)
                    if contender is Contender.REMORA and count == 1000:
                        second.add(contender, again)
            figure.failures.update(failures)
            figures.append(figure)
        figures.append(second)
    return figures
