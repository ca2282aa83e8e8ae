"""What a child of a debugged program sees of the debugger: nothing, whatever goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remora.agent.family import INHERIT

from .harness.hub import FakeHub

DUMP = """\
import json, os, signal, sys, threading
frame, depth = sys._getframe(), 0
while frame.f_back:
    frame, depth = frame.f_back, depth + 1
print(json.dumps({
    "argv": sys.argv,
    "orig_argv": sys.orig_argv,
    "path": sys.path,
    "flags": list(sys.flags),
    "warnoptions": sys.warnoptions,
    "environment": {k: v for k, v in os.environ.items() if k not in ("REMORA_FAMILY", "PYTHONPATH")},
    "depth": depth,
    "bottom": frame.f_code.co_filename,
    "main": sorted(vars(sys.modules["__main__"])),
    "modules": sorted(sys.modules),
    "threads": [thread.name for thread in threading.enumerate()],
    "is_main": threading.current_thread() is threading.main_thread(),
    "hooks": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__],
    "meta_path": len(sys.meta_path),
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
    "switch": sys.getswitchinterval(),
    "traced": [sys.gettrace(), sys.getprofile()],
    "monitors": [sys.monitoring.get_tool(number) for number in range(6)],
    "streams": [repr(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
}))
"""


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    made = FakeHub()
    yield made
    made.close()


@pytest.fixture
def holding_hub() -> Iterator[FakeHub]:
    made = FakeHub(lets_go=False)
    yield made
    made.close()


def run(
    argv: list[str], env: dict[str, str], cwd: Path, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, env=env, cwd=cwd, input=stdin, capture_output=True, text=True, check=False, timeout=30
    )


FORMS: dict[str, tuple[list[str], str | None]] = {
    "file": (["dump.py", "one", "-c"], None),
    "module": (["-m", "dump", "one"], None),
    "code": (["-c", DUMP, "one"], None),
    "stdin": (["-"], DUMP),
    "stdin, unnamed": ([], DUMP),
    "folder": (["folder", "one"], None),
    "options": (["-u", "-W", "error", "-X", "dev", "dump.py"], None),
    "safe path": (["-P", "dump.py"], None),
    "optimised": (["-OO", "-m", "dump"], None),
}


@pytest.mark.parametrize("form", FORMS)
def test_child_is_as_without_us(form: str, hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "dump.py").write_text(DUMP)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(DUMP)
    words, stdin = FORMS[form]
    argv = [sys.executable, *words]
    plain = run(argv, hub.environment(REMORA_FAMILY=None, PYTHONPATH=None), tmp_path, stdin)
    child = run(argv, hub.environment(), tmp_path, stdin)
    assert (child.returncode, child.stderr) == (plain.returncode, plain.stderr) == (0, "")
    expected, seen = json.loads(plain.stdout), json.loads(child.stdout)
    more = set(seen.pop("modules")) - set(expected.pop("modules"))
    assert {
        name for name in more if name.partition(".")[0] not in {*sys.stdlib_module_names, "remora"}
    } == set()
    assert len(more) <= 45
    assert seen == expected
    hello = hub.next().hello
    assert hello["startMethod"] == "child"
    assert hello["waiting"] is True
    assert hello["parent"] == os.getpid()
    assert hello["secret"] == "the secret"


REAL = {
    "none": None,
    "plain": "import sys\nsys.from_real = __file__, __name__\n",
    "raises": "1 / 0\n",
    "lacks another module": "import there_is_no_such_module\n",
    "exits": "raise SystemExit(4)\n",
    "ill-formed": "def\n",
    "looks at the path": "import sys\nprint(sys.path)\n",
}


@pytest.mark.parametrize("kind", REAL)
def test_real_sitecustomize_is_run_as_if_it_had_been_found(kind: str, hub: FakeHub, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    if text := REAL[kind]:
        (real / "sitecustomize.py").write_text(text)
    code = """
import sys
real = sys.modules.get("sitecustomize")
print(getattr(sys, "from_real", None), real and real.__file__, real and real.__spec__.origin)
"""
    argv = [sys.executable, "-c", code]
    plain = run(argv, hub.environment(REMORA_FAMILY=None, PYTHONPATH=str(real)), tmp_path)
    child = run(argv, hub.environment(PYTHONPATH=f"{INHERIT}:{real}"), tmp_path)
    assert (child.returncode, child.stdout) == (plain.returncode, plain.stdout)
    if kind == "exits":  # "Fatal Python error", with a traceback
        assert child.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1]
    else:
        assert child.stderr == plain.stderr


BROKEN: dict[str, dict[str, str | None]] = {
    "hub is gone": {"REMORA_FAMILY": '{"address": {"unix": "\\u0000nobody"}, "secret": "", "parent": 1}'},
    "no port": {"REMORA_FAMILY": '{"address": {"host": "127.0.0.1", "port": 1}, "secret": "", "parent": 1}'},
    "no such host": {
        "REMORA_FAMILY": '{"address": {"host": "no-such.invalid", "port": 1}, "secret": "", "parent": 1}'
    },
    "no JSON": {"REMORA_FAMILY": "{"},
    "another JSON": {"REMORA_FAMILY": "[1]"},
    "no address": {"REMORA_FAMILY": '{"address": {}, "secret": "", "parent": 1}'},
    "empty": {"REMORA_FAMILY": ""},
    "missing": {"REMORA_FAMILY": None},
    "no user": {"HOME": "/nowhere", "USER": None},
}


@pytest.mark.parametrize("what", BROKEN)
def test_child_runs_whatever_is_wrong(what: str, hub: FakeHub, tmp_path: Path) -> None:
    done = run([sys.executable, "-c", "print('ran')"], hub.environment(**BROKEN[what]), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")


def test_child_runs_without_a_remora(hub: FakeHub, tmp_path: Path) -> None:
    """It has been uninstalled while its programs ran; or a container has only the variables."""
    folder = tmp_path / "remora" / "agent" / "inherit"
    folder.mkdir(parents=True)
    shutil.copy(Path(INHERIT) / "sitecustomize.py", folder)
    code = "import sys; print('remora' in sys.modules, [path for path in sys.path if 'inherit' in path])"
    done = run([sys.executable, "-c", code], hub.environment(PYTHONPATH=str(folder)), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False []\n", "")


def test_child_runs_with_a_broken_remora(hub: FakeHub, tmp_path: Path) -> None:
    package = Path(INHERIT).parents[1]
    shutil.copytree(package, tmp_path / "remora", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "remora" / "agent" / "loop.py").write_text("raise RuntimeError")
    folder = tmp_path / "remora" / "agent" / "inherit"
    code = "import sys; print([name for name in sys.modules if name.startswith('remora')])"
    done = run([sys.executable, "-c", code], hub.environment(PYTHONPATH=str(folder)), tmp_path.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_child_runs_when_the_hub_hangs_up(holding_hub: FakeHub, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print('ran')"],
        env=holding_hub.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        holding_hub.next().close()
        assert child.communicate(timeout=20) == ("ran\n", None)


def test_nothing_of_a_held_child_runs_and_ctrl_c_ends_it_quietly(
    holding_hub: FakeHub, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print('ran')"],
        env=holding_hub.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        member = holding_hub.next()
        child.send_signal(signal.SIGINT)
        member.to_end()
        assert child.communicate(timeout=20) == ("", "")
        assert child.returncode == -signal.SIGINT


def test_held_child_is_attached_to_before_its_first_line(holding_hub: FakeHub, tmp_path: Path) -> None:
    path = tmp_path / "prog.py"
    path.write_text("x = 1\nprint('ran', x)\nraise SystemExit(3)\n")
    with subprocess.Popen(
        [sys.executable, str(path)], env=holding_hub.environment(), stdout=subprocess.PIPE, text=True
    ) as child:
        member = holding_hub.next()
        assert member.hello["pid"] == child.pid
        assert member.hello["name"] == "prog.py"
        assert member.hello["argv"] == [str(path)]
        member.configure((str(path), 1))
        assert member.event("stopped")["reason"] == "breakpoint"
        frames = member.request("stackTrace", {"threadId": 1})["stackFrames"]
        assert [frame["name"] for frame in frames] == ["<module>"]
        member.request("continue", {"threadId": 1})
        member.to_end()
        assert member.output("stdout") == "ran 1\n"
        assert child.communicate(timeout=20)[0] == "ran 1\n"
        assert child.returncode == 3


def test_child_that_was_let_go_is_attached_to_later(hub: FakeHub, tmp_path: Path) -> None:
    path = tmp_path / "prog.py"
    path.write_text("print('ready', flush=True)\nwhile True:\n    n = 1\n")
    with subprocess.Popen(
        [sys.executable, str(path)], env=hub.environment(), stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        member = hub.next()
        member.configure((str(path), 3))
        assert member.event("stopped")["reason"] == "breakpoint"
        member.request("disconnect", {})
        child.kill()


def test_breakpoint_of_a_child_without_a_client_does_nothing(hub: FakeHub, tmp_path: Path) -> None:
    done = run([sys.executable, "-c", "breakpoint(); print('ran')"], hub.environment(), tmp_path, "")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")


def test_child_has_its_own_modules_where_ours_have_the_same_names(hub: FakeHub, tmp_path: Path) -> None:
    """Of PYTHONPATH and of the program's folder; both are before the standard library."""
    lib = tmp_path / "lib"
    lib.mkdir()
    (lib / "json.py").write_text("mine = 'json'")
    (tmp_path / "select.py").write_text("mine = 'select'")
    (tmp_path / "prog.py").write_text("import json, select\nprint(json.mine)\nprint(select.mine)\n")
    env = hub.environment(PYTHONPATH=f"{INHERIT}:{lib}")
    argv = [sys.executable, str(tmp_path / "prog.py")]
    done, plain = run(argv, env, tmp_path), run(argv, {**env, "PYTHONPATH": str(lib)}, tmp_path)
    # Where select is built into the interpreter, it has none of its own either.
    assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr)


def test_helpers_of_multiprocessing_do_not_call(hub: FakeHub, tmp_path: Path) -> None:
    text = """
        import multiprocessing
        from multiprocessing import shared_memory
        def work():
            print("worked", flush=True)
        if __name__ == "__main__":
            block = shared_memory.SharedMemory(create=True, size=8)  # starts the resource tracker
            process = multiprocessing.get_context("forkserver").Process(target=work)
            process.start()
            process.join()
            block.close()
            block.unlink()
        """
    (tmp_path / "prog.py").write_text(textwrap.dedent(text))
    done = run([sys.executable, "prog.py"], hub.environment(), tmp_path)
    assert (done.stdout, done.stderr) == ("worked\n", "")
    first, second = hub.next().hello, hub.next().hello
    assert second["parent"] == first["pid"]
    assert hub.members.empty()


def older_pythons() -> list[str]:
    found = []
    for version in ("2.7", "3.6", "3.8", "3.9", "3.10", "3.11"):
        candidates = [
            shutil.which(f"python{version}"),
            *map(str, Path.home().glob(f".pyenv/versions/{version}*/bin/python")),
        ]
        found += [path for path in candidates if path and works(path)][:1]
    return found


def works(path: str) -> bool:
    return subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0


def test_older_python_is_left_alone(hub: FakeHub, tmp_path: Path) -> None:
    pythons = older_pythons()
    if not pythons:
        pytest.skip("there is no Python older than 3.12 here")
    code = "import sys; print([x for x in list(sys.modules) + sys.path if 'inherit' in x or 'sitecu' in x])"
    for python in pythons:
        # Some have a sitecustomize of their own.
        plain = {n: v for n, v in hub.environment().items() if n not in ("PYTHONPATH", "REMORA_FAMILY")}
        bare = run([python, "-c", code], plain, tmp_path)
        done = run([python, "-c", code], hub.environment(), tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, bare.stdout, "")


EXITS: dict[str, tuple[str, int]] = {
    "sys.exit": ("import sys; sys.exit(5)", 5),
    "os._exit": ("import os; print('last', flush=True); os._exit(6)", 6),
}


@pytest.mark.parametrize("way", EXITS)
def test_end_of_a_child_is_told(way: str, holding_hub: FakeHub, tmp_path: Path) -> None:
    code, status = EXITS[way]
    with subprocess.Popen(
        [sys.executable, "-c", code], env=holding_hub.environment(), stdout=subprocess.DEVNULL
    ) as child:
        member = holding_hub.next()
        member.configure()
        member.to_end()
        events: list[dict[str, Any]] = [m for m in member.seen if m["type"] == "event"]
        names = [event["event"] for event in events]
        assert names.index("terminated") == len(names) - 1
        if way == "os._exit":
            assert member.output("stdout") == "last\n"
            assert events[-2]["body"] == {"exitCode": status}
        assert child.wait(20) == status
