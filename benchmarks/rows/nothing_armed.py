"""Attached with nothing armed, or with a breakpoint in another file: the program must not notice."""

from __future__ import annotations

from benchmarks.figures import Contender, Figure, ratio_figure
from benchmarks.rounds import Run
from benchmarks.sessions import PROGRAMS, Session, bare, session

PROGRAM = PROGRAMS / "recursion.py"
OTHER = PROGRAMS / "loops.py"


def attached(contender: Contender, *, other_file: bool) -> float:
    with session(contender, PROGRAM) as client:
        if other_file:
            elsewhere = Session(client.wire, None, OTHER)
            elsewhere.break_at("cold")
        client.filters("uncaught")
        client.go()
        return float(min(client.finish()))


def measure(run: Run) -> list[Figure]:
    figures = []
    for other_file, what in (
        (False, "attached, nothing armed"),
        (True, "attached, breakpoint in another file"),
    ):
        samples, failures = run.take(
            {
                Contender.BARE: lambda: float(min(bare(PROGRAM))),
                Contender.DEBUGPY: lambda other=other_file: attached(Contender.DEBUGPY, other_file=other),
                Contender.REMORA: lambda other=other_file: attached(Contender.REMORA, other_file=other),
            }
        )
        figure = ratio_figure(what, samples, 1.02)
        figure.failures.update(failures)
        figures.append(figure)
    return figures
