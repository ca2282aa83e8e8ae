"""A breakpoint on a line that is never reached, in the function where the program spends its time."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Contender, Figure, ratio_figure
from benchmarks.rounds import Run
from benchmarks.sessions import PROGRAMS, bare, marker_lines, pdb, session

WORKLOADS = {
    "recursion": "recursion",
    "threads": "8 threads",
    "loops": "loops",
    "exceptions": "exceptions",
    "methods": "methods",
    "tasks": "asyncio",
    "conditional": "recursion through a one-line if-else",
}
NOTES = {"threads": "pdb traces the main thread only"}
# One pass of the slowest contender takes 150 times the 15 ms of a bare one.
ENV = {"BENCH_REPEATS": "15", "BENCH_BUDGET_S": "1"}


def armed(contender: Contender, program: Path) -> float:
    with session(contender, program, env=ENV) as client:
        client.break_at("cold")
        client.filters("uncaught")
        client.go()
        return float(min(client.finish()))


def under_pdb(program: Path) -> float:
    line = marker_lines(program)["cold"]
    return float(min(pdb(program, [f"break {program}:{line}", "continue"], env=ENV)))


def measure(run: Run) -> list[Figure]:
    figures = []
    for name, label in WORKLOADS.items():
        program = PROGRAMS / f"{name}.py"
        samples, failures = run.take(
            {
                Contender.BARE: lambda program=program: float(min(bare(program, env=ENV))),
                Contender.DEBUGPY: lambda program=program: armed(Contender.DEBUGPY, program),
                Contender.PDB: lambda program=program: under_pdb(program),
                Contender.REMORA: lambda program=program: armed(Contender.REMORA, program),
            },
            once=frozenset({Contender.PDB}),
        )
        note = NOTES.get(name, "")
        figure = ratio_figure(f"breakpoint on a cold line: {label}", samples, 1.05, note)
        figure.failures.update(failures)
        figures.append(figure)
    return figures
