"""A program under remora is the program: same sys.argv, __main__, path, tracebacks, exit code, Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from live.harness.debuggee import Debuggee, remora, run
from live.harness.debugging import free_port, launched
from live.harness.programs import Program, Shape

Write = Callable[..., Program]
shapes = pytest.mark.parametrize("shape", Shape, ids=lambda shape: shape.value)

PORTRAIT = """\
import json, os, sys, threading
main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv,
    "orig_argv": sys.orig_argv,
    "name": __name__,
    "is_main": main.__dict__ is globals(),
    "globals": sorted(globals()),
    "file": globals().get("__file__"),
    "spec": getattr(globals().get("__spec__"), "name", None),
    "package": globals().get("__package__"),
    "doc": __doc__,
    "builtins": type(__builtins__).__name__,
    "path0": sys.path[0],
    "path_length": len(sys.path),
    "cwd": os.getcwd(),
    "threads": [thread.name for thread in threading.enumerate()],
    "loader": type(globals().get("__loader__")).__name__,
    "flags": str(sys.flags),
    "breakpointhook_env": os.environ.get("PYTHONBREAKPOINT"),
    # REMORA_FAMILY is what its children inherit.
    "environment": sorted({name for name in os.environ if "REMORA_" in name} - {"REMORA_FAMILY"}),
}))
"""


def under_remora(
    program: Program, args: Sequence[str] = (), **more: object
) -> subprocess.CompletedProcess[str]:
    command = remora("--listen", free_port(), *program.command_line, *args)
    return run(command, cwd=program.folder, **more)  # type: ignore[arg-type]


def bare(program: Program, args: Sequence[str] = (), **more: object) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, *program.command_line, *args], cwd=program.folder, **more)  # type: ignore[arg-type]


@shapes
def test_program_sees_what_it_would_see(shape: Shape, program: Write) -> None:
    target = program(PORTRAIT, shape)
    args = ["-x", "two words", "--listen", "5"]
    expected, seen = (json.loads(way(target, args).stdout) for way in (bare, under_remora))
    # One thread more is ours, and it is hidden from the program's own list where that can be.
    seen["threads"] = [name for name in seen["threads"] if "remora" not in name.lower()]
    assert seen == expected


@shapes
def test_launched_program_sees_what_it_would_see(shape: Shape, program: Write) -> None:
    target = program(PORTRAIT, shape)
    args = ["-x", "two words"]
    expected = json.loads(bare(target, args).stdout)
    with launched(target, args) as debugging:
        debugging.start()
        seen = json.loads(debugging.until_exit()[1]["stdout"])
    seen["threads"] = [name for name in seen["threads"] if "remora" not in name.lower()]
    assert seen == expected


ENDS = {
    "none": "pass",
    "zero": "import sys; sys.exit(0)",
    "seven": "import sys; sys.exit(7)",
    "large": "import sys; sys.exit(300)",
    "text": "import sys; sys.exit('the reason')",
    "none given": "import sys; sys.exit(None)",
    "exception": "def f():\n    raise ValueError('boom')\nf()",
    "chain": "try:\n    1/0\nexcept Exception as e:\n    raise KeyError('x') from e",
    "group": "raise ExceptionGroup('many', [ValueError(1), TypeError(2)])",
    "note": "e = ValueError('n')\ne.add_note('look here')\nraise e",
    "syntax": "def f(:\n    pass",
    "import": "import no_such_module_at_all",
    "recursion": "def f(n): return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError as e:\n    print('deep')",
    "hard": "import os; os._exit(9)",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "interrupted": "raise KeyboardInterrupt",
    "atexit": "import atexit; atexit.register(print, 'bye'); print('hi')",
    "thread": "import threading; t = threading.Thread(target=lambda: 1/0); t.start(); t.join()",
    "late thread": (
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(.2), print('late'))).start()"
    ),
    "excepthook": ("import sys\nsys.excepthook = lambda t, v, tb: print('mine', t.__name__, v)\n1/0"),
    "broken excepthook": "import sys\ndef hook(*a): raise KeyError('in hook')\nsys.excepthook = hook\n1/0",
    "excepthook that is none": "import sys\nsys.excepthook = None\n1/0",
    "no excepthook": "import sys\ndel sys.excepthook\n1/0",
    "excepthook that exits": "import sys\nsys.excepthook = lambda *a: sys.exit(9)\n1/0",
    "excepthook without stderr": (
        "import sys\ndef hook(*a): raise KeyError('in hook')\nsys.excepthook = hook\nsys.stderr = None\n1/0"
    ),
    "stdin": "print(repr(input()))",
    "future": "from __future__ import annotations\ndef f(x: no_such): pass\nprint(f.__annotations__)",
    "warning": "import warnings; warnings.warn('careful')",
    "unraisable": "class A:\n    def __del__(self): 1/0\na = A()\ndel a",
}


@pytest.mark.parametrize("end", ENDS)
@shapes
def test_program_ends_as_it_would(shape: Shape, end: str, program: Write) -> None:
    """Same exit code, same stdout, same stderr to the letter: no frame of ours in any traceback."""
    if end == "warning" and shape is Shape.CODE and sys.version_info >= (3, 14):
        pytest.skip("the text of -c is known to us, so a warning shows its line, which Python's own does not")
    target = program(ENDS[end] + "\n", shape)
    expected = bare(target, input_text="typed\n")
    seen = under_remora(target, input_text="typed\n")
    assert seen.returncode == expected.returncode
    assert seen.stdout == expected.stdout
    assert comparable(seen.stderr) == comparable(expected.stderr)


@pytest.mark.parametrize(
    "end", ["seven", "text", "exception", "syntax", "hard", "killed", "atexit", "thread", "import"]
)
def test_launched_program_ends_as_it_would(end: str, program: Write) -> None:
    target = program(ENDS[end] + "\n")
    expected = bare(target)
    with launched(target) as debugging:
        debugging.start()
        code, output = debugging.until_exit()
    assert code in (expected.returncode, 128 - expected.returncode)
    assert output.get("stdout", "") == expected.stdout
    assert comparable(output.get("stderr", "")) == comparable(expected.stderr)


FROZEN_FRAME = re.compile(r'^[ |+]*File "<frozen (?:runpy|importlib)[^\n]*\n', re.MULTILINE)


def comparable(text: str) -> str:
    """Leave out addresses, and the frames of `python -m` itself, which say nothing of the program."""
    text = FROZEN_FRAME.sub("", re.sub(r"0x[0-9a-f]+", "0x…", text))
    return text.removeprefix("Traceback (most recent call last):\n") if "SyntaxError" in text else text


@pytest.mark.parametrize("waiting", [True, False], ids=["waiting for a client", "running"])
def test_ctrl_c_does_what_it_does(waiting: bool, program: Write) -> None:
    text = "import time\nprint('up', flush=True)\nwhile True:\n    time.sleep(0.05)\n"
    target = program(text)
    options = ["--listen", str(free_port())] + (["--wait-for-client"] if waiting else [])
    debuggee = Debuggee(remora(*options, *target.command_line), cwd=target.folder)
    try:
        if waiting:
            from benchmarks.wire import Wire

            Wire.connect("127.0.0.1", int(options[1])).close()
        else:
            debuggee.wait_for_output("up")
        debuggee.process.send_signal(signal.SIGINT)
        if waiting:
            # Nothing of the program has run: a shell sees the same code, a person no traceback of ours.
            assert debuggee.exit_code() == 128 + signal.SIGINT
            assert debuggee.stderr == ""
            return
        assert debuggee.exit_code() == -signal.SIGINT
        frames = re.findall(r'File "([^"]+)"', debuggee.stderr)
        assert frames == [str(target.path)]
        assert debuggee.stderr.rstrip().endswith("KeyboardInterrupt")
    finally:
        debuggee.kill()


def test_ctrl_c_can_be_handled_by_the_program(program: Write) -> None:
    text = """\
import time
try:
    print('up', flush=True)
    while True: time.sleep(0.05)
except KeyboardInterrupt:
    print('caught')
"""
    target = program(text)
    debuggee = Debuggee(remora("--listen", free_port(), *target.command_line), cwd=target.folder)
    try:
        debuggee.wait_for_output("up\n")  # the whole line: unbuffered, its end is a write of its own
        debuggee.process.send_signal(signal.SIGINT)
        assert debuggee.exit_code() == 0
        assert debuggee.stdout == "up\ncaught\n"
    finally:
        debuggee.kill()


# What the hub and the command line say when the user made the mistake: one line, exit code 2.


def test_port_in_use(program: Write) -> None:
    import socket

    target = program("print('never')\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(remora("--listen", port, target.path), cwd=target.folder)
    assert_one_line(done, str(port))


def test_missing_file(tmp_path: Path) -> None:
    done = run(remora("--listen", free_port(), tmp_path / "nowhere.py"), cwd=tmp_path)
    assert_one_line(done, "nowhere.py")


def test_missing_module(tmp_path: Path) -> None:
    done = run(remora("--listen", free_port(), "-m", "no_such_module_at_all"), cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert "no_such_module_at_all" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--frobnicate", "app.py"], "--frobnicate"),
        (["--listen", "notaport", "app.py"], "notaport"),
        (["--listen", "70000", "app.py"], "70000"),
        (["--listen", "5678"], ""),
        (["--listen", "5678", "--connect", "5679", "app.py"], ""),
        (["--listen", "5678", "--configure-nonsense", "true", "app.py"], "nonsense"),
        (["--listen", "5678", "--configure-subProcess", "perhaps", "app.py"], "perhaps"),
        (["--listen", "5678", "-m"], ""),
        (["adapter", "--port", "x"], "x"),
    ],
    ids=" ".join,
)
def test_wrong_command_line(arguments: list[str], named: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print('never')\n")
    done = run(remora(*arguments), cwd=tmp_path)
    assert_one_line(done, named)


def assert_one_line(done: subprocess.CompletedProcess[str], named: str) -> None:
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("usage:")]
    assert named in line


@pytest.mark.parametrize("arguments", [["--help"], ["adapter", "--help"], ["--version"]], ids=" ".join)
def test_help(arguments: list[str], tmp_path: Path) -> None:
    done = run(remora(*arguments), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
