"""Entry of a debuggee that a hub starts: `python .../remora/agent/boot.py` with REMORA_SESSION set.

And of a child whose options would keep it from joining (agent/command_line.py), with REMORA_CHILD set.

Run by path, by any interpreter, one where remora is not installed too. This file's folder must not stay on
sys.path, where it would shadow the program's modules, and neither may the one that holds `remora`: the
package is loaded from where this file lies, and sys.path[0] is what `run` makes it.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 12):  # noqa: UP036  # a launch names any interpreter; this is what it fails with
    raise SystemExit("remora needs Python 3.12 or newer, and this is " + sys.version.split()[0])

if not sys.flags.safe_path:
    # Before anything else is imported: a file, in which nothing is found. `run` puts in what the program
    # expects to be there.
    sys.path[0] = __file__

import _frozen_importlib
import _frozen_importlib_external
import os


def _load_package() -> None:
    """Import the `remora` that this file belongs to, whatever is installed here."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    spec = _frozen_importlib_external.PathFinder.find_spec("remora", [root])
    if spec is None or spec.loader is None:
        raise SystemExit(f"remora: there is no package in {root}")
    module = _frozen_importlib.module_from_spec(spec)
    sys.modules["remora"] = module
    spec.loader.exec_module(module)


def main() -> None:
    _load_package()
    from remora.agent import join, log, member, run
    from remora.dap import hello

    if hello.CHILD_VARIABLE in os.environ:
        member.start_deaf()
        return
    start = join.read_session()
    if start is None:
        raise SystemExit(
            "remora: this is started by a debug adapter; use `python -m remora` to debug a program"
        )
    # As if Python had been given the program: reloaders (werkzeug's) start this line again.
    del sys.orig_argv[-len(sys.argv)]
    if start.get("log"):
        log.open_log(start["log"])
    try:
        agent = join.join(start)
    except OSError as error:
        raise SystemExit(f"remora: {error.strerror}") from None
    if agent.captures_output:
        # A pipe: Python would keep back what is printed until 8 kB are there. As on a terminal, then.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.line_buffering:
                stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    target = start["run"]
    try:
        while agent.holding and not agent.finished:
            agent.wait(None)
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # terminated before the program began: no traceback of ours
    if agent.finished:
        raise SystemExit("remora: the debug adapter went away before the program began")
    run.run(target["kind"], target["value"], target["args"] or [], agent=agent, ready=agent.program_begins)


if __name__ == "__main__":
    main()
