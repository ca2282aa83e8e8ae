"""What is loaded when a client comes, in a program whose sys.path is its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import remora
from remora.agent import join
remora.listen(0)
agent = join.current()
agent.prepare()
before = set(sys.modules)
assert "remora.engine.engine" not in before, "a program that only listens pays for no engine"
agent.load()
agent.inspector.warm_up()
builtin = set(sys.builtin_module_names)
print(sorted(name for name in set(sys.modules) - before - builtin if not name.startswith("remora.")))
remora.stop()
"""


def test_a_session_loads_nothing_of_the_standard_library_late() -> None:
    """A module of that name beside the program would be taken for it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
