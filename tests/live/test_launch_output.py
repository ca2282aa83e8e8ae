"""Output of a launched program and of what it has started: complete, and nobody dies of writing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .harness.debugging import launched
from .harness.programs import Program

type Write = Callable[..., Program]


def wait_for(path: Path, text: str) -> None:
    deadline = time.monotonic() + 10
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} has never held {text!r}"
        time.sleep(0.01)


def test_all_of_much_output_comes_before_the_end(program: Write) -> None:
    """By Python, by C, by a child, and nothing of it after `exited`."""
    target = program(
        """\
import ctypes, os, subprocess
libc = ctypes.CDLL(None)
libc.printf(b"by C\\n")
libc.fflush(None)
subprocess.run(["sh", "-c", "echo by a child; echo to stderr >&2"])
for number in range(20_000):
    print("line", number)
os.write(1, b"last")
"""
    )
    with launched(target, subProcess=False) as debugging:
        debugging.start()
        code, output = debugging.until_exit()
        names = [m["event"] for m in debugging.wire.backlog if m["type"] == "event"]
    assert code == 0 and names[-1] == "exited"
    text = output["stdout"]
    assert text.startswith("by C\nby a child\n") and text.endswith("line 19999\nlast")
    assert output["stderr"] == "to stderr\n"


@pytest.mark.parametrize("debug", [True, False])
def test_a_child_that_lives_longer_can_go_on_writing(debug: bool, program: Write, tmp_path: Path) -> None:
    """When the program has ended, and when the adapter has; its writing fails nowhere."""
    done, go = tmp_path / "done", tmp_path / "go"
    child = f"""\
echo early
while [ ! -e {go} ]; do sleep 0.02; done
i=0
while [ $i -lt 3000 ]; do echo "0123456789012345678901234567890123456789" || exit 1; i=$((i + 1)); done
echo well > {done}
"""
    target = program(
        f"""\
import subprocess, sys
subprocess.Popen(["sh", "-c", {child!r}], start_new_session=True)
print("over")
"""
    )
    with launched(target, noDebug=not debug) as debugging:
        if debug:
            debugging.start()
        else:
            debugging.begin()
            debugging.go()
        began = time.monotonic()
        code, output = debugging.until_exit()
        assert code == 0 and "over" in output["stdout"]
        assert time.monotonic() - began < 3, "the end waits for nobody"
        debugging.wire.request("disconnect")
        assert debugging.processes[0].exit_code() == 0
    go.touch()
    # 120 kB: more than a pipe holds, so somebody must read.
    wait_for(done, "well")
    deadline = time.monotonic() + 5
    while _readers() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _readers(), "who reads on ends with who writes"


def _readers() -> list[str]:
    """The processes `cat` of this very test."""
    token = os.environ["REMORA_TEST_TOKEN"].encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (entry / "comm").read_text() == "cat\n" and token in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found
