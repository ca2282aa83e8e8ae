"""The table, for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from benchmarks.figures import Contender, Figure

COLUMNS = (Contender.DEBUGPY, Contender.PDB, Contender.REMORA)
VERDICT = {True: "ok", False: "**not ok**", None: ""}


def installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def conditions(rounds: int) -> str:
    return (
        f"CPython {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} processors; remora {installed('remora-debugger')}, "
        f"debugpy {installed('debugpy')}; {rounds} rounds."
    )


def lines(figure: Figure) -> list[str]:
    unit = f", {figure.unit}" if figure.unit else ""
    note = f" ({figure.note})" if figure.note else ""
    return [
        figure.what + unit + note,
        *(figure.text(contender) for contender in COLUMNS),
        figure.target,
        VERDICT[figure.ok],
    ]


HEADER = ["what", "debugpy", "pdb", "remora", "target", ""]


def for_terminal(figures: Sequence[Figure]) -> str:
    rows = [HEADER, *(lines(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            cell.replace("**", "").ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def for_docs(figures: Sequence[Figure], rounds: int) -> str:
    rows = [HEADER, ["---"] * len(HEADER), *(lines(figure) for figure in figures)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"""\
# Benchmarks

Written by `uv run python -m benchmarks`; do not edit.

{conditions(rounds)} {time.strftime("%Y-%m-%d")}.

Every cell is the median over the rounds, with the smallest and the largest in brackets. In each round every
contender runs once, one after the other, on the same machine with the same program and the same requests.
`×` is the time divided by the time without a debugger in the same round; 1.00 is no cost. Within a round a
workload is repeated and the fastest repeat counts. A dash: the contender has no such thing, or it was not
measured. pdb runs once where it is a hundred times slower. "not ok" means that remora misses the target.

{table}

The programs are in `benchmarks/programs`, the measurements in `benchmarks/rows`, one module for each group of
lines. `uv run python -m benchmarks --only stepping --quick` runs a part of them.
"""


def heading(name: str) -> None:
    print(f"{time.strftime('%T')} {name}", file=sys.stderr, flush=True)
