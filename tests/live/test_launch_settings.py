"""Properties of `launch`, each tried with a real process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.wire import Message, Refused

from .harness.debugging import Debugging, adapter, launched
from .harness.programs import Program

type Write = Callable[..., Program]

TOLD = """\
import json, os, sys
print(json.dumps([sys.argv[1:], {name: os.environ.get(name) for name in ("A", "B", "HOME")}, os.getcwd()]))
"""


class Terminal:
    """What a client starts for `runInTerminal`."""

    def __init__(self, debugging: Debugging, *, as_shell: bool = False) -> None:
        self._debugging = debugging
        self._as_shell = as_shell
        self.asked: Message = {}
        self.process: subprocess.Popen[str] | None = None

    def open(self) -> None:
        wire = self._debugging.wire
        asked = wire.take(lambda m: m["type"] == "request", "runInTerminal")
        self.asked = arguments = asked["arguments"]
        environment = dict(os.environ)
        for name, value in arguments["env"].items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        command: list[str] = arguments["args"]
        if self._as_shell:
            # As an editor types it: quoted, unless it is told not to.
            import shlex

            raw = arguments.get("argsCanBeInterpretedByShell")
            command = ["/bin/sh", "-c", " ".join(command) if raw else shlex.join(command)]
        self.process = subprocess.Popen(
            command,
            cwd=arguments["cwd"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        wire.send_message(
            {"seq": 900, "type": "response", "request_seq": asked["seq"], "command": "runInTerminal",
             "success": True, "body": {}}
        )  # fmt: skip

    def text(self, typed: str = "") -> str:
        assert self.process is not None
        return self.process.communicate(typed, timeout=20)[0]


@contextlib.contextmanager
def in_terminal(
    target: Program, *, shell: bool = False, expands: bool = False, **settings: Any
) -> Iterator[tuple[Debugging, Terminal]]:
    with launched(target, console="integratedTerminal", **settings) as debugging:
        features = {"supportsRunInTerminalRequest": True, "supportsArgsCanBeInterpretedByShell": expands}
        debugging.wire.request("initialize", {"adapterID": "x", **features})
        debugging._start_seq = debugging.wire.send("launch", debugging.start_arguments)
        terminal = Terminal(debugging, as_shell=shell)
        try:
            yield debugging, terminal
        finally:
            if terminal.process is not None:
                terminal.process.kill()
                terminal.process.communicate()


def told(text: str) -> tuple[list[str], dict[str, str | None], str]:
    args, environment, cwd = json.loads(text)
    return args, environment, cwd


# -- arguments and environment


def test_arguments_through_a_shell(program: Write) -> None:
    target = program(TOLD + "print(sys.stdin.read())\n")
    (target.folder / "input").write_text("from the file")
    text = "$A 'two words' inp?t ~ <input"
    with launched(target, env={"A": "x y", "HOME": "/h"}, args=text) as debugging:
        debugging.start()
        code, output = debugging.until_exit()
    first, second = output["stdout"].splitlines()
    assert code == 0 and second == "from the file"
    assert told(first)[0] == ["x", "y", "two words", "input", "/h"]


@pytest.mark.parametrize("kind", ["module", "code"])
def test_arguments_through_a_shell_behind_the_others(kind: str, tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text(TOLD)
    what = {"module": {"module": "told"}, "code": {"code": TOLD}}[kind]
    with adapter(tmp_path, "launch", args="$((1 + 1)) -x", cwd=str(tmp_path), **what) as debugging:
        debugging.start()
        _, output = debugging.until_exit()
    assert told(output["stdout"])[0] == ["2", "-x"]


@pytest.mark.parametrize("expands", [True, False])
@pytest.mark.parametrize("args", ["$A inp?t", ["$A", "inp?t"]])
def test_arguments_in_a_terminal(args: Any, expands: bool, program: Write) -> None:
    target = program(TOLD)
    (target.folder / "input").touch()
    with in_terminal(target, shell=True, expands=expands, args=args, env={"A": "x"}) as (debugging, terminal):
        if expands and isinstance(args, str):
            # The terminal's own shell takes it apart, and does not know our `env`.
            os.environ["A"] = "x"
        try:
            terminal.open()
        finally:
            os.environ.pop("A", None)
        debugging.wait_initialized()
        debugging.go()
        debugging.until_exit()
        assert told(terminal.text())[0] == (["x", "input"] if isinstance(args, str) else args)


def test_variables_from_a_file(program: Write) -> None:
    target = program(TOLD)
    (target.folder / "vars").write_text("export A='one # $HOME' # this\nB=\"${A}\\t$HOME\"\nHOME=/nowhere\n")
    with launched(target, envFile="vars", env={"HOME": None}) as debugging:
        debugging.start()
        _, output = debugging.until_exit()
    home = os.environ["HOME"]
    assert told(output["stdout"])[1] == {"A": "one # $HOME", "B": f"one # $HOME\t{home}", "HOME": None}


# -- output


LOUD = """\
import os, subprocess, sys
print("printed")
os.write(1, b"written\\n")
subprocess.run([sys.executable, "-c", "print('by a child')"])
sys.stderr.write("error\\n")
"""


@pytest.mark.parametrize("redirect", [None, True, False])
def test_all_output_of_a_launched_program(redirect: bool | None, program: Write) -> None:
    settings = {} if redirect is None else {"redirectOutput": redirect}
    with launched(program(LOUD), subProcess=False, **settings) as debugging:
        debugging.start()
        code, output = debugging.until_exit()
    shown = {} if redirect is False else {"stdout": "printed\nwritten\nby a child\n", "stderr": "error\n"}
    assert code == 0 and {name: output[name] for name in output if name != "console"} == shown


@pytest.mark.parametrize("redirect", [None, True, False])
def test_output_in_a_terminal_is_its_own(redirect: bool | None, program: Write) -> None:
    settings = {} if redirect is None else {"redirectOutput": redirect}
    with in_terminal(program('print("hello")\n'), **settings) as (debugging, terminal):
        terminal.open()
        debugging.wait_initialized()
        debugging.go()
        _, output = debugging.until_exit()
        assert terminal.text() == "hello\n"
        assert output.get("stdout", "") == ("hello\n" if redirect else "")


def test_a_window_stays_until_it_was_read(program: Write) -> None:
    with in_terminal(program("raise SystemExit(3)\n"), waitOnAbnormalExit=True) as (debugging, terminal):
        terminal.open()
        debugging.wait_initialized()
        debugging.go()
        debugging.until_exit()
        assert terminal.process is not None and terminal.process.poll() is None
        assert "exit code 3" in terminal.text("\n")
        assert terminal.process.returncode == 3


def test_a_terminal_is_shown_no_secret(program: Write) -> None:
    with in_terminal(program("print(1)\n")) as (debugging, terminal):
        terminal.open()
        name = terminal.asked["env"]["REMORA_SESSION"]
        assert name.startswith("@") and "secret" not in json.dumps(terminal.asked)
        debugging.wait_initialized()
        assert not Path(name[1:]).exists(), "it is there for as long as it is needed"
        debugging.go()
        debugging.until_exit()


# -- sudo

SUDO = """\
#!{python} -IS
# Forgets the environment and the descriptors, and stays the program's parent: as the real one does.
import os, subprocess, sys
args = sys.argv[1:]
if "-n" in args and {needs_password}:
    sys.exit("sudo: a password is required")
os.closerange(3, 1024)
environment = {{"PATH": "/usr/bin:/bin", "HOME": "/of-root", "SUDO_UID": "1000"}}
code = subprocess.call(args[args.index("--") + 1:], env=environment)
sys.exit(code if code >= 0 else 128 - code)
"""


def fake_sudo(folder: Path, *, needs_password: bool = False) -> str:
    """Put a `sudo` into a folder; return a PATH that finds it first."""
    found = folder / "bin"
    found.mkdir()
    (found / "sudo").write_text(SUDO.format(python=sys.executable, needs_password=needs_password))
    (found / "sudo").chmod(0o755)
    return f"{found}:{os.environ['PATH']}"


ROOT = "import os\n" + TOLD + 'print(os.environ.get("SUDO_UID"))   # @here\n'


@pytest.mark.parametrize("args", [["a b"], "'a b'"])
def test_sudo(args: Any, program: Write) -> None:
    target = program(ROOT)
    path = fake_sudo(target.folder)
    with launched(target, sudo=True, env={"A": "it's", "PATH": path}, args=args) as debugging:
        debugging.start("here")
        debugging.stopped("breakpoint").resume()
        code, output = debugging.until_exit()
    first, second = output["stdout"].splitlines()
    assert code == 0 and second == "1000"
    assert told(first) == (["a b"], {"A": "it's", "B": None, "HOME": "/of-root"}, str(target.folder))


def test_sudo_without_debugging(program: Write) -> None:
    target = program(ROOT)
    path = fake_sudo(target.folder)
    with launched(target, sudo=True, noDebug=True, env={"A": "1", "PATH": path}) as debugging:
        debugging.begin()
        debugging.go()
        _, output = debugging.until_exit()
    first, second = output["stdout"].splitlines()
    assert second == "1000" and told(first)[1] == {"A": "1", "B": None, "HOME": "/of-root"}


def test_sudo_in_a_terminal(program: Write) -> None:
    target = program(ROOT)
    path = fake_sudo(target.folder, needs_password=True)  # which a terminal can be asked for
    before, os.environ["PATH"] = os.environ["PATH"], path
    try:
        with in_terminal(target, sudo=True, env={"A": "s3cret", "B": None}) as (debugging, terminal):
            terminal.open()
            assert "s3cret" not in json.dumps(terminal.asked)
            debugging.wait_initialized()
            debugging.break_at("here")
            debugging.go()
            debugging.stopped("breakpoint").resume()
            debugging.until_exit()
            first, second = terminal.text().splitlines()
    finally:
        os.environ["PATH"] = before
    assert second == "1000" and told(first)[1] == {"A": "s3cret", "B": None, "HOME": "/of-root"}


def test_sudo_that_wants_a_password_nobody_can_type(program: Write) -> None:
    target = program(ROOT)
    path = fake_sudo(target.folder, needs_password=True)
    with launched(target, sudo=True, env={"PATH": path}) as debugging, pytest.raises(Refused) as caught:
        debugging.begin()
    assert "password" in caught.value.text and "integratedTerminal" in caught.value.text


def test_what_runs_under_sudo_is_ended_gently(program: Write) -> None:
    """The signal goes to the program, not to what stands before it."""
    target = program(
        """\
import time
try:
    print("up", flush=True)
    time.sleep(60)
finally:
    print("tidied up", flush=True)
"""
    )
    with launched(target, sudo=True, env={"PATH": fake_sudo(target.folder)}) as debugging:
        debugging.start()
        debugging.wire.event("output")
        debugging.wire.request("terminate")
        code, output = debugging.until_exit()
    assert "tidied up" in output["stdout"], (code, output)
