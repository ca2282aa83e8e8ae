"""A condition that is never true, on the hot line: the cost of one hit."""

from __future__ import annotations

import sys

from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run
from benchmarks.sessions import PROGRAMS, bare, marker_lines, pdb, session

PROGRAM = PROGRAMS / "condition.py"
HITS = 50_000
CONDITION = "i == -1"
ENV = {"BENCH_REPEATS": "10", "BENCH_BUDGET_S": "1"}


def conditional(contender: Contender) -> float:
    with session(contender, PROGRAM, env=ENV) as client:
        client.break_at({"line": "hot", "condition": CONDITION})
        client.filters("uncaught")
        client.go()
        return float(min(client.finish()))


def under_pdb() -> float:
    line = marker_lines(PROGRAM)["hot"]
    return float(min(pdb(PROGRAM, [f"break {PROGRAM}:{line}, {CONDITION}", "continue"], env=ENV)))


def measure(run: Run) -> list[Figure]:
    samples, failures = run.take(
        {
            Contender.BARE: lambda: float(min(bare(PROGRAM, env=ENV))),
            Contender.DEBUGPY: lambda: conditional(Contender.DEBUGPY),
            Contender.PDB: under_pdb,
            Contender.REMORA: lambda: conditional(Contender.REMORA),
        },
        once=frozenset({Contender.PDB}),
    )
    limit = 0.4 if sys.version_info >= (3, 14) else 0.6
    figure = Figure("condition never true on the hot line, a hit", "µs", at_most=limit)
    for contender, times in samples.items():
        if contender is not Contender.BARE:
            for time_s, bare_s in zip(times, samples[Contender.BARE], strict=False):
                figure.add(contender, (time_s - bare_s) / HITS * 1e6)
    figure.failures.update(failures)
    return [figure]
