"""The terminal client for real: the command line, the hub, a debuggee, and a person at a pseudo-terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from live.harness.debugging import free_port
from unit.terminal.on_a_terminal import Terminal

PROGRAM = """\
import sys

def work(count, factor=2):
    total = 0
    for i in range(count):
        total += i * factor
    return total

def main():
    print("x is", work(4))
    order = {"items": [1, 2, 3], "name": "hello"}
    name = input("name? ")
    print("hello", name)
    return order

main()
sys.exit(3)
"""

BUSY = """\
import time
count = 0
deadline = time.monotonic() + 60
done = False
print("busy", flush=True)  # the last one: what a test sets when it has seen this must not be set again
while not done and time.monotonic() < deadline:
    count += 1
print("done", flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def remora(*arguments: object, stdin: str = "", cwd: Path | None = None) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "remora", *map(str, arguments)],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=50,
        cwd=cwd,
        check=False,
    )
    return done.stdout, done.returncode


def test_scripted_from_the_command_line(program: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    answers.write_text("Bob\n")
    text, code = remora(
        "run", "-c", "b work; c; w; a; p total", "-c", "n; p total", "--stdin", answers, program,
        stdin="r\nll\nc\n",
    )  # fmt: skip
    assert code == 3, text
    text = text.replace(str(program), "program.py")
    expected = [
        "> program.py(1)<module>",
        "Breakpoint 1 at program.py:4",
        "Breakpoint 1.\n> program.py(4)work()\n-> total = 0",
        '  program.py(10)main()\n  -> print("x is", work(4))\n> program.py(4)work()',
        "count = 4\nfactor = 2",
        "*** NameError: cannot access local variable 'total'",
        "> program.py(5)work()\n-> for i in range(count):",
        "(remora) p total\n0",
        "> program.py(10)main()",
        "work() = 12",
        "   9     def main():",
        "x is 12\nname? hello Bob\nThe program ended with exit code 3.",
    ]
    at = 0
    for each in expected:
        assert each in text[at:], f"{each!r} is missing behind:\n{text[:at]}\n---\n{text[at:]}"
        at = text.index(each, at) + len(each)


def test_arguments_and_modules(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text(
        "import sys\nprint(sys.argv[1:], __name__)\nsys.exit(7)\n"
    )
    text, code = remora("run", "--no-stop", "-m", "package", "-x", "a b", cwd=tmp_path)
    assert "['-x', 'a b'] __main__" in text
    assert code == 7


def test_next_after_up_is_about_the_caller(program: Path) -> None:
    text, _ = remora("run", "-c", "b work; c; u; n; w; q", program)
    assert f"> {program}(11)main()" in text


def test_leaving_ends_the_program_without_a_word(program: Path) -> None:
    text, code = remora("run", "-c", "n; q", program)
    assert text.endswith("(remora) q\n")
    assert code == 0


def test_usage_errors() -> None:
    for arguments, says in (
        (["run"], "which program"),
        (["run", "nope.py"], "there is no file nope.py"),
        (["run", "--nope", "x"], "there is no option --nope"),
        (["attach"], "where to"),
        (["attach", "x:y"], "is no port"),
    ):
        text, code = remora(*arguments)
        assert code == 2
        assert says in text
        assert len(text.splitlines()) == 1


def test_nobody_to_attach_to() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    text, code = remora("attach", port)
    assert re.fullmatch(rf"remora: cannot reach 127\.0\.0\.1:{port}: .*refused\n", text)
    assert code == 2


class Listening:
    """A program started with --listen on a free port."""

    def __init__(self, path: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "remora", "--listen", "0", *options, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        said = ""
        while (found := re.search(r"127\.0\.0\.1:(\d+)", said)) is None:
            line = self.process.stderr.readline()
            assert line, f"it said no port: {said}"
            said += line
        self.port = found.group(1)

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


def test_attach_look_and_leave(tmp_path: Path) -> None:
    path = tmp_path / "busy.py"
    path.write_text(BUSY)
    with Listening(path) as program:
        assert program.process.stdout is not None
        assert program.process.stdout.readline() == "busy\n"
        text, code = remora("attach", program.port, "-c", f"b {path}:7; c; p count > 0; q")
        assert "Breakpoint 1.\n" in text
        assert "-> count += 1" in text
        assert "(remora) p count > 0\nTrue\n" in text
        assert code == 0
        assert program.process.poll() is None
        # Again, and this time to the end.
        text, code = remora("attach", program.port, "-c", "pause; !done = True; c")
        assert "Paused." in text
        assert "ended" in text
        assert program.process.wait(20) == 0
        assert program.process.stdout.read() == "done\n"


def test_attach_releases_a_program_that_waits(program: Path) -> None:
    with Listening(program, "--wait-for-client") as waiting:
        text, _ = remora("attach", waiting.port, "-c", f"b {program}:7; c; p total; q")
        assert "(remora) p total\n12\n" in text


def test_a_program_that_waits_is_stopped_at_its_first_line(program: Path) -> None:
    with Listening(program, "--wait-for-client") as waiting:
        text, _ = remora("attach", waiting.port, "-c", "bt; n; bt; u; b 7; c; bt; q")
        assert f"Attached to {program} at " in text
        assert "(remora, attached) bt\n*** the program is not stopped" in text
        assert f"(remora, attached) n\n> {program}(1)<module>\n-> import sys\n" in text
        alone = f"(remora) bt\n> {program}(1)<module>\n  -> import sys\n(remora) u\n*** this is the oldest"
        assert alone in text
        assert f"Breakpoint 1 at {program}:7" in text
        assert f"(remora) bt\n  {program}(16)<module>\n" in text


def test_a_person_is_told_that_the_program_waits_and_can_give_up(program: Path) -> None:
    port = str(free_port())
    with Terminal(
        [sys.executable, "-m", "remora", "--listen", port, "--wait-for-client", str(program)]
    ) as terminal:
        terminal.expect(f"remora: waiting for a client on 127.0.0.1:{port}")
        terminal.type("\x03")
        assert terminal.ends() == 128 + signal.SIGINT
        assert "Traceback" not in terminal.raw


def test_who_reads_the_output_leaves(tmp_path: Path) -> None:
    path = tmp_path / "busy.py"
    path.write_text(BUSY)
    with Listening(path) as program:
        command = [sys.executable, "-m", "remora", "attach", program.port, "-c", f"log {path}:7 again; c"]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as client:
            assert client.stdout is not None
            while client.stdout.readline() != "again\n":
                pass
            client.stdout.close()
            assert client.wait(20) == 128 + signal.SIGPIPE
            assert client.stderr is not None
            assert client.stderr.read() == ""
        assert program.process.poll() is None


@pytest.fixture(params=["prompt_toolkit", "readline", "dumb"])
def terminal_settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    settings = {"XDG_STATE_HOME": str(tmp_path / "state")}
    if request.param == "prompt_toolkit":
        pytest.importorskip("prompt_toolkit")
        return settings
    # A package of that name that cannot be imported, as where it is not installed.
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "prompt_toolkit.py").write_text("raise ImportError('not here')\n")
    settings["PYTHONPATH"] = str(tmp_path / "without")
    if request.param == "dumb":
        settings["TERM"] = "dumb"
    return settings


def test_a_person_at_a_terminal(program: Path, terminal_settings: dict[str, str]) -> None:
    with Terminal([sys.executable, "-m", "remora", "run", str(program)], env=terminal_settings) as terminal:
        terminal.expect("(1)<module>")
        terminal.expect("(remora)")
        terminal.type("b 12\n")
        terminal.expect("Breakpoint 1 at ")
        terminal.expect("(remora)")
        terminal.type("c\n")
        terminal.expect("x is 12")
        terminal.expect("(12)main()")
        terminal.expect("(remora)")
        terminal.type("p order['name']\n")
        terminal.expect("'hello'")
        terminal.expect("(remora)")
        terminal.type("c\n")
        terminal.expect("name? ")
        terminal.type("Ann\n")
        terminal.expect("hello Ann")
        terminal.expect("ended with exit code 3")
        terminal.expect("(remora, not running)")
        terminal.type("q\n")
        assert terminal.ends() == 3
        if terminal_settings.get("TERM") == "dumb":
            assert "\x1b" not in terminal.raw
        else:
            assert "\x1b[" in terminal.raw


def test_ctrl_c_pauses_and_the_program_goes_on(tmp_path: Path, terminal_settings: dict[str, str]) -> None:
    path = tmp_path / "busy.py"
    path.write_text(BUSY)
    with Terminal([sys.executable, "-m", "remora", "run", str(path)], env=terminal_settings) as terminal:
        terminal.expect("(remora)")
        terminal.type("c\n")
        terminal.expect("busy")
        terminal.type("\x03")
        terminal.expect("Paused.")
        terminal.expect("(remora)")
        terminal.type("done = True\n")
        terminal.expect("(remora)")
        terminal.type("p [done] * 2\n")
        terminal.expect("[True, True]")
        terminal.expect("(remora)")
        try:
            terminal.type("\x03")
            terminal.expect("`q` leaves", timeout_s=3)
        except AssertionError:
            # CPython's input() prints the prompt, then reads; a signal in between waits for the next one.
            terminal.type("\x03")
            terminal.expect("`q` leaves")
        terminal.expect("(remora)")
        terminal.type("c\n")
        terminal.expect("done")
        terminal.expect("ended with exit code 0")
        terminal.expect("(remora, not running)")
        terminal.type("\x04")
        assert terminal.ends() == 0


def test_completion_and_history(program: Path, terminal_settings: dict[str, str]) -> None:
    if terminal_settings.get("TERM") == "dumb":
        pytest.skip("a dumb terminal has neither")
    with Terminal([sys.executable, "-m", "remora", "run", str(program)], env=terminal_settings) as terminal:
        terminal.expect("(remora)")
        terminal.type("b wor\t")
        terminal.expect("k")
        terminal.type("\n")
        terminal.expect("Breakpoint 1 at ")
        terminal.expect("(remora)")
        terminal.type("c\n")
        terminal.expect("(4)work()")
        terminal.expect("(remora)")
        terminal.type("p fac\t")
        terminal.expect("tor")
        terminal.type(" + 40\n")
        terminal.expect("\n42")
        terminal.expect("(remora)")
        terminal.type("\x1b[A\n")
        terminal.expect("\n42")
        terminal.expect("(remora)")
        terminal.type("q\n")
        assert terminal.ends() == 0
    history = Path(terminal_settings["XDG_STATE_HOME"]) / "remora" / "history"
    assert re.search(r"p factor +\+ 40", history.read_text())
    assert history.stat().st_mode & 0o077 == 0


def test_the_terminal_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "busy.py"
    path.write_text("import os\nprint('pid', os.getpid(), '.', flush=True)\n" + BUSY)
    with Terminal([sys.executable, "-m", "remora", "run", "--no-stop", str(path)]) as terminal:
        terminal.expect("pid ")
        pid = int(terminal.expect(" ."))
        terminal.expect("busy")
        os.kill(terminal.process.pid, signal.SIGHUP)
        assert terminal.ends() == 128 + signal.SIGHUP
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
