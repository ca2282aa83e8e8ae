"""The terminal client and a family of real processes: breakpoints, turns, ends; attach by id and by name."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.harness.debuggee import Debuggee, until
from live.harness.debuggee import remora as remora_command
from live.harness.debugging import free_port
from unit.terminal.on_a_terminal import Terminal

POOL = """\
import multiprocessing, sys

def work(n):
    total = n * 2
    return total

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(pool.map(work, range(3), chunksize=1), flush=True)
    sys.exit(4)
"""

# Each process spins until the file is there.
SPIN = """\
import os, sys, time
deadline = time.monotonic() + 30

def spin(who):
    turns = 0
    while not os.path.exists("enough") and time.monotonic() < deadline:
        turns += 1
        time.sleep(0.01)
    return turns

child = os.fork()
if child == 0:
    spin("child")
    open("child.done", "w").close()
    os._exit(0)
spin("parent")
os.waitpid(child, 0)
print("done", flush=True)
"""


@pytest.fixture
def spinner(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "spinner.py"
    path.write_text(SPIN)
    yield path
    (tmp_path / "enough").touch()


def remora(*arguments: object, cwd: Path, stdin: str = "") -> tuple[str, int]:
    done = subprocess.run(
        remora_command(*map(str, arguments)),
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=50,
        cwd=cwd,
        check=False,
    )
    return done.stdout, done.returncode


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_a_breakpoint_set_before_there_are_children_stops_in_each(tmp_path: Path, method: str) -> None:
    path = tmp_path / "pool.py"
    path.write_text(POOL)
    text, code = remora(
        "run", "-c", "b 5; c; p 'n', n; c; p 'n', n; c; p 'n', n; ps; c", path, method, cwd=tmp_path
    )
    assert code == 4, text
    assert sorted(re.findall(r"\('n', (\d)\)", text)) == ["0", "1", "2"], text
    assert "[0, 2, 4]" in text
    assert text.count("has started]") == 2
    assert text.count("has ended") == 2
    assert "The program ended with exit code 4." in text


def test_children_can_be_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pool.py"
    path.write_text(POOL)
    text, code = remora("run", "--no-children", "-c", "b 5; c", path, "spawn", cwd=tmp_path)
    assert code == 4, text
    assert "rocess 2" not in text
    assert "Breakpoint 1.\n" not in text


def test_stopping_at_children(tmp_path: Path) -> None:
    path = tmp_path / "parent.py"
    path.write_text(
        "import subprocess, sys\nprint(subprocess.run([sys.executable, 'child.py']).returncode)\n"
    )
    (tmp_path / "child.py").write_text(
        "answer = 42\nprint('answer', answer, flush=True)\nraise SystemExit(6)\n"
    )
    text, code = remora(
        "run", "-c", "set follow stop; c; b child.py:1; c; n; p answer; c", path, cwd=tmp_path
    )
    assert code == 0, text
    before, _, rest = text.partition("(remora 2) b child.py:1\n")
    assert re.search(r"Process 2, child\.py \(pid \d+\):\nPaused\.\n", before), text
    assert "Breakpoint 1.\n" in rest, text
    assert "(remora 2) p answer\n42\n" in rest
    assert "answer 42\n" in rest
    assert "\n6" in text  # its line end may come after what we write


def test_break_in_all_switch_and_go_on_in_all(spinner: Path) -> None:
    text, code = remora(
        "run",
        "-c",
        "b 8, who == 'child'; c; cl 1; pause all; ps; process 1; p who; !open('enough', 'w').close(); c all",
        spinner,
        cwd=spinner.parent,
    )
    assert code == 0, text
    assert re.search(
        r"^[> ] 1 +\d+ +spinner\.py +stopped .*\n[> ] 2 +\d+ +spinner\.py +stopped ", text, re.M
    ), text
    assert "\ndone" in text
    assert "The program ended with exit code 0." in text
    assert (spinner.parent / "child.done").exists()


def test_at_a_terminal_a_stop_elsewhere_does_not_take_the_prompt(spinner: Path) -> None:
    command = remora_command("run", spinner.name)
    with Terminal(command, cwd=str(spinner.parent), env={"NO_COLOR": "1"}) as terminal:
        terminal.expect("(remora)")
        terminal.type("b 8, who == 'parent'\n")
        terminal.expect("Breakpoint 1")
        terminal.type("c\n")
        terminal.expect("> ")
        terminal.expect("(remora")
        terminal.type("b 7, who == 'child'\n")
        terminal.expect("Breakpoint 2")
        terminal.expect("has stopped at breakpoint 2")
        terminal.type("p who\n")
        terminal.expect("'parent'")
        terminal.type("process 2\n")
        terminal.expect("Breakpoint 2.")
        terminal.expect("(remora 2)")
        terminal.type("p who\n")
        terminal.expect("'child'")
        # One is stopped, the other too: both end with us, and nothing of them is left.
        terminal.type("q\n")
        assert terminal.ends() == 0
    assert not (spinner.parent / "child.done").exists()


def test_at_a_terminal_a_running_process_that_was_gone_to_stays(tmp_path: Path) -> None:
    """The other child waits for its turn; `pause`, which the prompt speaks of, is about the parent."""
    path = tmp_path / "pool.py"
    path.write_text(POOL)
    command = remora_command("run", path.name, "fork")
    with Terminal(command, cwd=str(tmp_path), env={"NO_COLOR": "1"}) as terminal:
        terminal.expect("(remora)")
        terminal.type("b 5\n")
        terminal.expect("Breakpoint 1")
        terminal.type("c\n")
        terminal.expect("Breakpoint 1.")
        terminal.expect("has stopped at breakpoint 1")
        terminal.type("process 1\n")
        terminal.expect("Process 1 is running")
        terminal.type("pause\n")
        terminal.expect("Paused.")
        terminal.expect("(remora 1)")
        terminal.type("q\n")
        assert terminal.ends() == 0


def test_detaching_the_child_and_ending_the_program(spinner: Path) -> None:
    script = "b 7, who == 'child'; c; detach; kill 1"
    said = spinner.with_name("said")
    with said.open("w") as file:  # no pipe: the child holds its end of it
        done = subprocess.run(
            remora_command("run", "-c", script, spinner.name),
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            timeout=50, cwd=spinner.parent, check=False,
        )  # fmt: skip
    text, code = said.read_text(), done.returncode
    assert re.search(r"\[Process 2, spinner\.py \(pid \d+\), runs on by itself\]", text), text
    assert code == 128 + signal.SIGTERM, text
    (spinner.parent / "enough").touch()
    until((spinner.parent / "child.done").exists, "the child has run to its end")


def test_leaving_a_family_one_attached_to_lets_all_run_on(spinner: Path) -> None:
    port = free_port()
    with _running("--listen", str(port), spinner.name, cwd=spinner.parent) as program:
        until_listening(port)
        script = f"b {spinner}:8, who == 'child'; c; ps; q"
        text, code = remora("attach", f":{port}", "-c", script, cwd=spinner.parent)
        assert code == 0, text
        assert re.search(r"^> 2 +\d+ +spinner\.py +stopped .*spinner\.py\(8\)spin\(\)", text, re.M), text
        (spinner.parent / "enough").touch()
        assert program.exit_code() == 0
        assert program.stdout == "done\n"
    assert (spinner.parent / "child.done").exists()


@contextlib.contextmanager
def _running(*arguments: str, cwd: Path, python: bool = False) -> Iterator[Debuggee]:
    command = [sys.executable, *arguments] if python else remora_command(*arguments)
    debuggee = Debuggee(command, cwd=cwd)
    try:
        yield debuggee
    finally:
        debuggee.kill()


def until_listening(port: int) -> None:
    from remora.cli.terminal import _somebody_listens

    until(lambda: _somebody_listens(port), "somebody listens")


@pytest.mark.skipif(sys.version_info < (3, 14), reason="other ways in are tested with remora.inject")
def test_attaching_by_id_and_by_name(spinner: Path) -> None:
    named = spinner.with_name(f"spinner_{os.getpid()}.py")
    named.write_text(SPIN.partition("child = ")[0] + "spin('parent')\n")
    with _running(named.name, cwd=spinner.parent, python=True) as program:
        text, code = remora("attach", program.pid, "-c", f"b {named}:8; c; p who; q", cwd=spinner.parent)
        assert code == 0, text
        assert f"Attached to {named} at process {program.pid}." in text
        assert "(remora) p who\n'parent'\n" in text
        text, code = remora("attach", named.stem, "-c", f"b {named}:9; c; p who; q", cwd=spinner.parent)
        assert code == 0, text
        assert "(remora) p who\n'parent'\n" in text
        (spinner.parent / "enough").touch()
        assert program.exit_code() == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["no_such_script_anywhere"], "no Python process of yours runs 'no_such_script_anywhere'"),
        (["--pid", "x"], "--pid: 'x' is no process id"),
        (["--pid", "4000000000", "5678"], "One of them"),
        (["4000000000"], "4000000000"),
    ],
)
def test_what_cannot_be_attached_to_is_named(tmp_path: Path, arguments: list[str], problem: str) -> None:
    text, code = remora("attach", *arguments, cwd=tmp_path)
    assert problem in text
    assert code == 2
