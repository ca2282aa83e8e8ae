"""The program as a child of the terminal: its input, its signals, its end. On a real pseudo-terminal."""

import os
import signal
import sys

import pytest

from remora.terminal.program import Program
from unit.terminal.on_a_terminal import Terminal

# The parent: what is typed goes to the child, until Ctrl-C asks for one line at a prompt of the parent's own.
PARENT = """
import signal, sys
from remora.terminal.program import Program

child = '''
import sys
print("child reads from a terminal:", sys.stdin.isatty(), flush=True)
for line in sys.stdin:
    print("child got", line.strip(), flush=True)
print("child is at the end", flush=True)
raise SystemExit(5)
'''
wanted = []
signal.signal(signal.SIGINT, lambda *args: wanted.append(1))
program = Program({"args": [sys.executable, "-c", child]})
program.typed.allow(True)
while program.wait(0.02) is None:
    if wanted:
        program.typed.allow(False)
        print("parent got", input("prompt> "), flush=True)
        wanted.clear()
        program.typed.allow(True)
print("code", program.wait(10), flush=True)
program.close(grace_s=0)
"""


def test_what_is_typed_goes_to_the_program_or_to_the_prompt() -> None:
    with Terminal([sys.executable, "-c", PARENT]) as terminal:
        terminal.expect("child reads from a terminal: True")
        terminal.type("one\n")
        terminal.expect("child got one")
        terminal.type("\x03")
        terminal.expect("prompt> ")
        terminal.type("two\n")
        terminal.expect("parent got two")
        terminal.type("three\n")
        terminal.expect("child got three")
        assert "child got two" not in terminal.text
        terminal.type("\x04")
        terminal.expect("child is at the end")
        terminal.expect("code 5")
        assert terminal.ends() == 0


def test_without_a_terminal_it_reads_a_file_or_nothing(tmp_path, capfd) -> None:
    code = "import sys; print(repr(sys.stdin.read()))"
    path = tmp_path / "in.txt"
    path.write_text("from a file")
    for stdin, said in ((None, "''"), (str(path), "'from a file'")):
        program = Program({"args": [sys.executable, "-c", code]}, stdin=stdin)
        assert program.wait(20) == 0
        program.close(grace_s=0)
        assert capfd.readouterr().out.strip() == said


def test_environment_and_folder(tmp_path, capfd, monkeypatch) -> None:
    monkeypatch.setenv("TO_REMOVE", "x")
    code = "import os; print(os.getcwd(), os.environ.get('ADDED'), os.environ.get('TO_REMOVE'))"
    arguments = {
        "args": [sys.executable, "-c", code],
        "cwd": str(tmp_path),
        "env": {"ADDED": "y", "TO_REMOVE": None},
    }
    program = Program(arguments)
    assert program.wait(20) == 0
    assert capfd.readouterr().out.split() == [os.path.realpath(tmp_path), "y", "None"]


def test_a_signals_exit_code_is_the_shells() -> None:
    program = Program({"args": [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]})
    assert program.wait(20) == 128 + signal.SIGKILL


def test_a_stubborn_program_is_ended(capfd) -> None:
    code = (
        "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\nwhile 1: signal.pause()"
    )
    program = Program({"args": [sys.executable, "-c", code]})
    assert program.wait(0.5) is None
    program.close(grace_s=0)
    assert program.wait(0) == 128 + signal.SIGKILL


def test_no_such_program() -> None:
    with pytest.raises(OSError, match="nowhere"):
        Program({"args": ["/nowhere"]})
