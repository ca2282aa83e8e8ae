"""`uv run python -m benchmarks`: measure, print the table, write docs/benchmarks.md.

debugpy is needed as the peer. It is in the dependency group `bench`, which a plain `uv run` leaves out, so
this starts itself again through uv with that group when debugpy is missing.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import pkgutil
import shutil
import sys
import time
from pathlib import Path

from benchmarks import report, rows
from benchmarks.figures import Contender, Figure
from benchmarks.rounds import Run

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "benchmarks.md"
# In the order of the table.
ORDER = [
    "nothing_armed",
    "cold_line",
    "after_stop",
    "condition",
    "exceptions",
    "stepping",
    "step_latency",
    "set_breakpoints",
    "paging",
    "pausing",
    "starting",
    "attach_by_id",
    "children",
    "footprint",
    "logpoints",
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", metavar="NAME", action="append", help=f"one of: {', '.join(ORDER)}; repeatable"
    )
    parser.add_argument("--quick", action="store_true", help="two rounds, and not what takes debugpy minutes")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of a full run (default 5)")
    parser.add_argument("--python", help="another interpreter or version, through uv: 3.14, /path/to/python")
    parser.add_argument("--no-debugpy", action="store_true", help="leave debugpy out")
    parser.add_argument(
        "--write", type=Path, help=f"where to write the table; default {TABLE.name} of a full run"
    )
    return parser.parse_args()


def again_through_uv(options: argparse.Namespace) -> None:
    """Start this again in an environment that has debugpy, or with another interpreter; or return."""
    has_peer = options.no_debugpy or importlib.util.find_spec("debugpy") is not None
    if (has_peer and not options.python) or os.environ.get("REMORA_BENCHMARKS_AGAIN"):
        return
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("debugpy is not installed here, and there is no uv to fetch it: pip install debugpy==1.8.22")
    os.environ["REMORA_BENCHMARKS_AGAIN"] = "1"
    command = [uv, "run", "--group", "bench"]
    rest = sys.argv[1:]
    if options.python:
        # An environment of its own: the project's stays with the interpreter it has.
        os.environ["UV_PROJECT_ENVIRONMENT"] = str(ROOT / f".venv-bench-{Path(options.python).name}")
        command += ["--python", options.python]
        place = rest.index("--python") if "--python" in rest else -1
        rest = (
            rest[:place] + rest[place + 2 :]
            if place >= 0
            else [part for part in rest if not part.startswith("--python=")]
        )
    os.environ.pop("VIRTUAL_ENV", None)
    os.chdir(ROOT)
    os.execv(uv, [*command, "python", "-m", "benchmarks", *rest])


def main() -> int:
    options = arguments()
    known = [module.name for module in pkgutil.iter_modules(rows.__path__)]
    assert sorted(known) == sorted(ORDER), "a row is missing in ORDER"
    unknown = set(options.only or []) - set(ORDER)
    if unknown:
        print(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ORDER)}", file=sys.stderr)
        return 2
    again_through_uv(options)
    contenders = frozenset(Contender) - ({Contender.DEBUGPY} if options.no_debugpy else set())
    run = Run(rounds=options.rounds, quick=options.quick, contenders=contenders)
    figures: list[Figure] = []
    began = time.monotonic()
    for name in ORDER:
        if not options.only or name in options.only:
            report.heading(name)
            figures += importlib.import_module(f"benchmarks.rows.{name}").measure(run)
    print(report.conditions(2 if options.quick else options.rounds))
    print(report.for_terminal(figures))
    print(f"{time.monotonic() - began:.0f} s")
    whole = not options.only and not options.quick and not options.no_debugpy
    if options.write or whole:
        target = options.write or TABLE
        target.write_text(report.for_docs(figures, options.rounds), encoding="utf-8")
        print(f"wrote {target}")
    missed = [figure for figure in figures if figure.ok is False]
    print(f"{len(figures) - len(missed)} of {len(figures)} figures reached")
    return 0


if __name__ == "__main__":
    sys.exit(main())
