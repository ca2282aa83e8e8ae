"""Exceptions raised and caught in a loop, while filters are on."""

from __future__ import annotations

from benchmarks.figures import Contender, Figure, ratio_figure
from benchmarks.rounds import Run
from benchmarks.sessions import PROGRAMS, bare, session

PROGRAM = PROGRAMS / "exceptions.py"
ENV = {"BENCH_REPEATS": "15", "BENCH_BUDGET_S": "1"}


def filtered(contender: Contender, name: str) -> float:
    with session(contender, PROGRAM, env=ENV) as client:
        client.filters(name)
        client.go()
        return float(min(client.finish()))


def measure(run: Run) -> list[Figure]:
    figures = []
    for name, limit in (("uncaught", 1.02), ("userUnhandled", 2.0)):
        samples, failures = run.take(
            {
                Contender.BARE: lambda: float(min(bare(PROGRAM, env=ENV))),
                Contender.DEBUGPY: lambda name=name: filtered(Contender.DEBUGPY, name),
                Contender.REMORA: lambda name=name: filtered(Contender.REMORA, name),
            }
        )
        figure = ratio_figure(f"exceptions raised and caught, filter {name}", samples, limit)
        figure.failures.update(failures)
        figures.append(figure)
    return figures
