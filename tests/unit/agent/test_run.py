"""A program run through us sees, prints and returns what it would without us.

Each program runs twice, bare and through `run.run`, and everything that can be seen from outside is compared.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

# What boot.py and the command line do, without a session.
THROUGH_US = """
import sys
from remora.agent.run import run
kind, value = sys.argv[1:3]
run(kind, value, sys.argv[3:], agent=None, ready=lambda code: None)
"""
STATE = """
import sys, os
print(sorted(name for name in globals()))
print(globals().get("__file__"), sys._getframe().f_code.co_filename)
print(sys.argv, sys.path[0], __name__, __package__, type(__builtins__), __doc__)
print(__spec__ and (__spec__.name, __spec__.origin), type(__loader__), globals().get("__cached__"))
print(sys.modules["__main__"].__dict__ is globals(), getattr(__import__("__main__"), "STATE", None))
"""
SEES = "import sys, pickle\nclass A: pass\nassert type(pickle.loads(pickle.dumps(A()))) is A\n" + STATE


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def outcome(argv: list[str], cwd: Path, **env: str) -> Outcome:
    done = subprocess.run(
        argv, cwd=cwd, capture_output=True, text=True, timeout=30, env={**os.environ, **env}, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def both(
    tmp_path: Path, kind: str, value: str, *args: str, flags: tuple[str, ...] = ()
) -> tuple[Outcome, Outcome]:
    starter = tmp_path / "starter" / "through_us.py"
    starter.parent.mkdir(exist_ok=True)
    starter.write_text(THROUGH_US)
    option = {"program": [], "module": ["-m"], "code": ["-c"]}[kind]
    bare = outcome([sys.executable, *flags, *option, value, *args], tmp_path)
    ours = outcome([sys.executable, *flags, str(starter), kind, value, *args], tmp_path)
    return bare, ours


def write(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def make_zip(tmp_path: Path, name: str, **members: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        for member, text in members.items():
            archive.writestr(f"{member}.py", text)


@pytest.mark.parametrize("value", ["./prog.py", "prog.py", "sub/../prog.py", "link.py", "folder", "app.zip"])
def test_program_sees_what_it_would(tmp_path: Path, value: str) -> None:
    for name in ("prog.py", "folder/__main__.py", "folder/beside.py", "sub/x"):
        write(tmp_path, name, SEES)
    (tmp_path / "link.py").symlink_to(tmp_path / "folder" / "__main__.py")
    make_zip(tmp_path, "app.zip", __main__=SEES)
    bare, ours = both(tmp_path, "program", value, "-x", "a b")
    assert bare.code == 0, bare.err
    assert ours == bare


@pytest.mark.parametrize("value", ["mod", "package", "package.inner"])
def test_module_sees_what_it_would(tmp_path: Path, value: str) -> None:
    for name in ("mod.py", "package/__main__.py", "package/inner.py"):
        write(tmp_path, name, SEES)
    write(tmp_path, "package/__init__.py", "")
    bare, ours = both(tmp_path, "module", value, "1")
    assert bare.code == 0, bare.err
    assert ours == bare


def test_code_sees_what_it_would(tmp_path: Path) -> None:
    bare, ours = both(tmp_path, "code", STATE, "1", "2")
    assert bare.code == 0, bare.err
    assert ours == bare


@pytest.mark.parametrize("flags", [("-O",), ("-P",), ("-W", "error"), ("-X", "dev")])
def test_interpreter_flags_stay(tmp_path: Path, flags: tuple[str, ...]) -> None:
    text = (
        "import sys\nprint(sys.flags, sys.warnoptions, __debug__, sys.path[:1] == ['" + str(tmp_path) + "'])"
    )
    write(tmp_path, "prog.py", text)
    bare, ours = both(tmp_path, "program", "prog.py", flags=flags)
    if "-P" in flags:
        assert (ours.code, ours.out) == (bare.code, bare.out)
    else:
        assert ours == bare


ENDINGS = {
    "plain": "print('done')",
    "exit": "import sys; sys.exit()",
    "exit code": "import sys; sys.exit(7)",
    "exit negative": "import sys; sys.exit(-1)",
    "exit text": "import sys; sys.exit('why')",
    "exit object": "raise SystemExit(['x'])",
    "raises": "def f():\n    1/0\nf()",
    "chain": "try:\n    1/0\nexcept Exception as e:\n    raise ValueError('x') from e",
    "group": "raise ExceptionGroup('g', [ValueError(1), KeyError(2)])",
    "own hook": "import sys\ndef hook(*a):\n    print(a[0], a[1], a[2].tb_lineno, a[2].tb_next)\n"
    "sys.excepthook = hook\nraise ValueError(1)",
    "hook fails": "import sys\nsys.excepthook = None\nraise ValueError(1)",
    "syntax": "x = = 1",
    "atexit": "import atexit\natexit.register(print, 'bye')\nraise KeyError(1)",
    "thread": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(.1), print('t'))).start()",
    "last": "import sys, atexit\natexit.register(lambda: print(repr(sys.last_exc), "
    "sys.last_traceback.tb_frame.f_code.co_name, sys.last_traceback.tb_next))\nraise KeyError(1)",
    "latin": "# -*- coding: latin-1 -*-\nprint(ascii('é'))",
    "os._exit": "import os, sys\nprint('x', flush=True)\nos._exit(3)",
    "generator exit": "raise GeneratorExit",
}


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("kind", ["program", "code"])
def test_ends_as_it_would(tmp_path: Path, name: str, kind: str) -> None:
    if name == "latin":
        if kind == "code":
            pytest.skip("code from the command line has no encoding line")
        (tmp_path / "prog.py").write_bytes(ENDINGS[name].encode("latin-1"))
    else:
        write(tmp_path, "prog.py", ENDINGS[name])
    bare, ours = both(tmp_path, kind, "prog.py" if kind == "program" else ENDINGS[name])
    if name == "hook fails":
        assert (ours.code, ours.out) == (bare.code, bare.out)
        return
    assert ours == bare


def test_module_that_raises(tmp_path: Path) -> None:
    write(tmp_path, "mod.py", "def f():\n    1/0\nf()\n")
    bare, ours = both(tmp_path, "module", "mod")
    assert "ZeroDivisionError" in bare.err
    assert ours == bare


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("program", "missing.py"),
        ("program", "empty"),
        ("module", "missing"),
        ("module", "empty"),
        ("module", "missing.inner"),
        ("module", "plain.inner"),
    ],
)
def test_nothing_to_run(tmp_path: Path, kind: str, value: str) -> None:
    write(tmp_path, "empty/x", "")
    write(tmp_path, "plain.py", "")
    bare, ours = both(tmp_path, kind, value)
    assert bare.code != 0
    assert ours == bare


def test_import_error_inside_a_module_is_shown_as_one(tmp_path: Path) -> None:
    write(tmp_path, "package/__init__.py", "import does_not_exist\n")
    write(tmp_path, "package/__main__.py", "")
    bare, ours = both(tmp_path, "module", "package")
    assert "No module named 'does_not_exist'" in bare.err
    assert ours == bare


def test_compiled_file(tmp_path: Path) -> None:
    write(tmp_path, "prog.py", "print(__file__, __name__)")
    import py_compile

    py_compile.compile(str(tmp_path / "prog.py"), cfile=str(tmp_path / "prog.pyc"))
    bare, ours = both(tmp_path, "program", "prog.pyc")
    assert bare.code == 0
    assert ours == bare


def test_ctrl_c_ends_by_the_signal(tmp_path: Path) -> None:
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass\n"
    write(tmp_path, "prog.py", text)
    bare, ours = both(tmp_path, "program", "prog.py")
    assert bare.code == -signal.SIGINT
    assert ours.code == bare.code
    assert ours.err.splitlines()[-1] == "KeyboardInterrupt"
    assert "run.py" not in ours.err


def test_spawned_children_find_main(tmp_path: Path) -> None:
    text = (
        "import multiprocessing as mp\n"
        "def square(x): return x * x\n"
        "if __name__ == '__main__':\n"
        "    with mp.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(square, [1, 2, 3]))\n"
    )
    write(tmp_path, "prog.py", text)
    bare, ours = both(tmp_path, "program", "prog.py")
    assert bare.out == "[1, 4, 9]\n"
    assert ours == bare
