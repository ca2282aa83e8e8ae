"""Programs of several processes at their limits: they do what they do without us."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .harness.debuggee import LIMIT_S, remora
from .harness.debuggee import run as run_to_its_end
from .harness.programs import Program
from .test_children import family

type Write = Callable[..., Program]


def as_without_us(text: str, folder: Path) -> None:
    """Run a program bare and under `remora --listen`: same exit code, same output."""
    path = folder / "program.py"
    path.write_text("import os, subprocess, sys, threading, time\n" + text)
    bare = run_to_its_end([sys.executable, path], cwd=folder)
    ours = run_to_its_end([*remora("--listen", "0"), path], cwd=folder)
    said = "".join(line for line in ours.stderr.splitlines(True) if not line.startswith("remora: listening"))
    assert (ours.returncode, ours.stdout, said) == (bare.returncode, bare.stdout, bare.stderr)


@pytest.mark.parametrize("option", ["-I", "-E", "-S", "-P"])
def test_zip_and_folder_with_options(option: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(
        "import sys; print(sys.argv, sys.path[0])\nimport beside\n"
    )
    (tmp_path / "folder" / "beside.py").write_text("print('beside')")
    as_without_us(
        f"""
line = [sys.executable, "{option}", "folder", "word"]
print(subprocess.run(line, capture_output=True, text=True))
""",
        tmp_path,
    )


@pytest.mark.parametrize("option", ["-S", "-SE", "-I"])
def test_path_of_a_child_with_options(option: str, tmp_path: Path) -> None:
    as_without_us(
        f"""
line = [sys.executable, "{option}", "-c", "import sys; print(sys.path)"]
print(subprocess.run(line, capture_output=True, text=True))
""",
        tmp_path,
    )


def test_closing_all_descriptors_at_once_is_no_failure_of_the_hub(tmp_path: Path) -> None:
    as_without_us(
        """
os.closerange(3, 4096)
time.sleep(0.3)
print("here")
""",
        tmp_path,
    )


FORKED_FROM_A_THREAD = """
import threading
def work():
    pid = os.fork()
    if not pid:
        {child}
        return
    print("ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
import warnings
warnings.simplefilter("ignore")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.parametrize(
    "child",
    [
        "print('child', flush=True)",
        "sys.exit(3)",
        "threading.Thread(target=lambda: (time.sleep(0.2), print('late', flush=True))).start()",
        "again = os.fork(); again and print(os.waitpid(again, 0)[1], flush=True)",
        "os._exit(4)",
    ],
    ids=["returns", "exits", "another goes on", "forks again", "os._exit"],
)
def test_child_of_a_thread_ends_with_its_last_thread(child: str, tmp_path: Path) -> None:
    as_without_us(FORKED_FROM_A_THREAD.format(child=child), tmp_path)


def test_attached_child_of_a_thread_ends_too(program: Write) -> None:
    text = FORKED_FROM_A_THREAD.format(child="number = 1  # @child")
    with family(program, text) as running:
        child = running.next_child()
        child.stopped("breakpoint", timeout_s=LIMIT_S)
        child.resume()
        assert child.wait_exit(timeout_s=LIMIT_S) == 0
        assert running.end() == "ended with 0\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, whose limit is that of nobody else")
def test_fork_that_fails_at_the_limit_of_processes(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    as_without_us(
        """
import resource
os.setgid(65534)
os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
def starts(): subprocess.call(["true"])
def forks(): subprocess.call(["true"], preexec_fn=os.getpid)
for way in (os.fork, starts, forks):
    try:
        way()
    except OSError as error:
        print(error)
print("still here")
""",
        tmp_path,
    )


LIMITED = """
import resource
for limit in (5, 6, 7, 9, 12, 16):
    def few(): resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    line = [sys.executable, "-c", "import json, asyncio"]
    code = subprocess.call(line, preexec_fn=few, stderr=subprocess.DEVNULL)
    print(limit, code)
"""


def test_children_with_few_descriptors(tmp_path: Path) -> None:
    as_without_us(LIMITED, tmp_path)


def test_children_with_few_descriptors_and_a_client(program: Write, tmp_path: Path) -> None:
    path = tmp_path / "limited.py"
    path.write_text("import subprocess, sys\n" + LIMITED)
    bare = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=LIMIT_S, check=True)
    with family(program, LIMITED, child_stops=False) as running:
        assert running.end() == bare.stdout
