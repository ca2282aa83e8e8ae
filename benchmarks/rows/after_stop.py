"""The same cold line after a stop elsewhere and continue, and after the client has gone."""

from __future__ import annotations

from benchmarks.figures import Contender, Figure, ratio_figure
from benchmarks.rounds import Run
from benchmarks.sessions import PROGRAMS, bare, session

PROGRAM = PROGRAMS / "recursion.py"
ENV = {"BENCH_REPEATS": "15", "BENCH_BUDGET_S": "1"}


def after_stop(contender: Contender, *, detach: bool) -> float:
    with session(contender, PROGRAM, env=ENV) as client:
        client.break_at("cold", "elsewhere")
        client.filters("uncaught")
        client.go()
        stop = client.stopped()
        client.wire.request("stackTrace", {"threadId": stop["threadId"]})
        if detach:
            client.wire.request("disconnect", {"terminateDebuggee": False})
        else:
            client.resume(stop["threadId"])
        return float(min(client.finish()))


def measure(run: Run) -> list[Figure]:
    figures = []
    # "1.00" is a statement about the machine's noise too: two runs without a debugger differ by 1 %.
    for detach, what, limit in (
        (False, "cold line after a stop elsewhere", 1.05),
        (True, "after detach", 1.01),
    ):
        samples, failures = run.take(
            {
                Contender.BARE: lambda: float(min(bare(PROGRAM, env=ENV))),
                Contender.DEBUGPY: lambda d=detach: after_stop(Contender.DEBUGPY, detach=d),
                Contender.REMORA: lambda d=detach: after_stop(Contender.REMORA, detach=d),
            }
        )
        figure = ratio_figure(what, samples, limit)
        figure.failures.update(failures)
        figures.append(figure)
    return figures
