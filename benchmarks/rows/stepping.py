"""Step over a call that works for a while, and out of a hot loop: the work itself must run at full speed."""

from __future__ import annotations

from typing import Any

from benchmarks.figures import Contender, Figure, ratio_figure
from benchmarks.rounds import Run
from benchmarks.sessions import PROGRAMS, bare, marker_lines, pdb, session

PROGRAM = PROGRAMS / "steps.py"
# Long enough to see 5 % in a single run, short enough for those 70 times slower.
ENV = {"BENCH_N": "1500000"}


def stepped(contender: Contender) -> Any:
    with session(contender, PROGRAM, env=ENV) as client:
        client.break_at("over", "inside")
        client.filters("uncaught")
        client.go()
        thread = {"threadId": client.stopped()["threadId"]}
        client.wire.request("next", thread)
        client.stopped()
        client.resume(thread["threadId"])
        client.stopped()
        client.break_at()
        client.wire.request("stepOut", thread)
        client.stopped()
        client.resume(thread["threadId"])
        return client.finish()


def under_pdb() -> Any:
    lines = marker_lines(PROGRAM)
    commands = [f"break {PROGRAM}:{lines['over']}", f"break {PROGRAM}:{lines['inside']}", "continue"]
    return pdb(PROGRAM, [*commands, "next", "continue", "clear 2", "return", "continue"], env=ENV)


def measure(run: Run) -> list[Figure]:
    samples, failures = run.take(
        {
            Contender.BARE: lambda: bare(PROGRAM, env=ENV),
            Contender.DEBUGPY: lambda: stepped(Contender.DEBUGPY),
            Contender.PDB: under_pdb,
            Contender.REMORA: lambda: stepped(Contender.REMORA),
        }
    )
    figures = []
    for key, what in (("over", "step over a call"), ("out", "step out of a hot loop")):
        times = {contender: [value[key] for value in values] for contender, values in samples.items()}
        figure = ratio_figure(what, times, 1.05)
        figure.failures.update(failures)
        figures.append(figure)
    return figures
