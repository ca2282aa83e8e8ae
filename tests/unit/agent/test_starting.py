"""The wrappers round what starts processes, and the variables: there while there is a family, then gone."""

from __future__ import annotations

import _posixsubprocess
import inspect
import os
import pickle
import posix
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from remora.agent import family, starting

KIN: Any = {"address": {"unix": "\0nowhere"}, "secret": "s", "parent": 1}
PLACES = [
    (os, "execv"), (os, "execve"), (os, "posix_spawn"), (os, "posix_spawnp"), (os, "_exit"),
    (os, "_spawnvef"),
    (posix, "execv"), (posix, "execve"), (posix, "posix_spawn"), (posix, "_exit"),
    (subprocess, "_fork_exec"), (_posixsubprocess, "fork_exec"),
]  # fmt: skip


def functions() -> list[Any]:
    return [getattr(module, name) for module, name in PLACES]


@pytest.fixture
def member() -> Iterator[None]:
    before = dict(os.environ)
    family.enter(KIN)
    starting.install()
    try:
        yield
    finally:
        family.leave()
        starting.remove()
        os.environ.clear()
        os.environ.update(before)


@pytest.mark.parametrize("path", [None, "/a:/b", ""])
def test_all_is_as_it_was_afterwards(path: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
    environment, originals = dict(os.environ), functions()
    for _ in range(2):
        family.enter(KIN)
        starting.install()
        assert not any(now is before for now, before in zip(functions(), originals, strict=True))
        inside = os.environ["PYTHONPATH"].split(os.pathsep)
        assert inside == [family.INHERIT, *(path.split(":") if path else [])]
    family.leave()
    starting.remove()
    assert dict(os.environ) == environment
    assert all(now is before for now, before in zip(functions(), originals, strict=True))


def test_what_the_program_has_put_in_the_path_meanwhile_stays(member: None) -> None:
    os.environ["PYTHONPATH"] = f"/mine:{os.environ['PYTHONPATH']}:/more"
    family.leave()
    assert os.environ["PYTHONPATH"] == "/mine:/more"
    assert "REMORA_FAMILY" not in os.environ


def test_subprocess_that_is_loaded_meanwhile_gets_the_original_back() -> None:
    text = """
import sys
from remora.agent import family, starting
import _posixsubprocess
original = _posixsubprocess.fork_exec
family.enter({"address": {}, "secret": "", "parent": 1}); starting.install()
assert "subprocess" not in sys.modules
import subprocess
assert subprocess._fork_exec is not original
family.leave(); starting.remove()
assert subprocess._fork_exec is original is _posixsubprocess.fork_exec
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_wrappers_look_like_what_they_wrap(member: None) -> None:
    for wrapper in (os.execv, os.execve, os._exit, os.posix_spawn, _posixsubprocess.fork_exec):
        original = wrapper.__wrapped__  # type: ignore[attr-defined]
        assert (wrapper.__name__, wrapper.__module__, wrapper.__doc__) == (
            original.__name__, original.__module__, original.__doc__
        )  # fmt: skip
        assert pickle.loads(pickle.dumps(wrapper)) is wrapper
    assert str(inspect.signature(os.execve)) == "(path, argv, env)"


def test_what_is_wrong_is_said_by_the_original(member: None) -> None:
    with pytest.raises(TypeError):
        os.execv()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        os.execve("/nowhere", ["x"], 5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must not be empty"):
        os.execv("/nowhere", [])
    with pytest.raises(FileNotFoundError):
        os.execv("/nowhere", ["x"])
    with pytest.raises(FileNotFoundError):
        os.posix_spawn("/nowhere", ["x"], {})
    with pytest.raises(FileNotFoundError) as caught:
        subprocess.run(["/nowhere"], check=False, env={})
    assert caught.value.filename == "/nowhere"


def test_environment_is_completed_and_the_programs_dict_is_left_alone(member: None) -> None:
    given = {"A": "b", "PYTHONPATH": "/x"}
    done = subprocess.run(["/usr/bin/env"], env=given, capture_output=True, text=True, check=True)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert seen == {"A": "b", "PYTHONPATH": f"{family.INHERIT}:/x", "REMORA_FAMILY": family.text}
    assert given == {"A": "b", "PYTHONPATH": "/x"}


def test_nothing_is_completed_when_the_hub_is_gone(member: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(family, "is_over", True)
    monkeypatch.setattr(starting, "on_over", family.leave)
    done = subprocess.run(["/usr/bin/env"], env={"A": "b"}, capture_output=True, text=True, check=True)
    assert done.stdout == "A=b\n"
    assert "REMORA_FAMILY" not in os.environ


def test_audit_events_are_those_of_the_program(member: None) -> None:
    text = """
import os, sys
from remora.agent import family, starting
family.enter({"address": {}, "secret": "", "parent": 1}); starting.install()
sys.addaudithook(lambda name, args: name in ("os.posix_spawn", "os.exec") and print(name, args[:2]))
os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
sys.stdout.flush()
os.execv("/bin/true", ["true", "x"])
"""
    done = subprocess.run([sys.executable, "-uc", text], capture_output=True, text=True, check=True)
    assert done.stdout == "os.posix_spawn ('/bin/true', ['true'])\nos.exec ('/bin/true', ['true', 'x'])\n"
