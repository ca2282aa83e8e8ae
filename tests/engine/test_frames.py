"""The frames of our threads, while other interpreters run code under interpreter locks of their own.

In a process of its own: what this guards against ends the process (gh-158364).
"""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from remora.engine import frames

LIMIT_S = 30.0
SCRIPT = """
import faulthandler, sys, threading, time
from remora.engine import frames
try:
    import _interpreters as interpreters
    create, run = lambda: interpreters.create("isolated"), interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    create, run = lambda: interpreters.create(isolated=True), interpreters.run_string
CODE = '''
import time
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
end = time.monotonic() + 1.5
while time.monotonic() < end:
    fib(10)
'''
look = getattr(frames, sys.argv[1])
ids = [create() for _ in range(3)]
threads = [threading.Thread(target=run, args=(id, CODE), name=f"runs {id}") for id in ids]
go_on = True
def churn():
    while go_on:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
threads += [threading.Thread(target=churn) for _ in range(2)]
for thread in threads:
    thread.start()
sys.setswitchinterval(1e-6)
rounds = 0
end = time.monotonic() + 1
while time.monotonic() < end or rounds < 10:
    found = look()
    for frame in found.values():
        while frame is not None:
            assert "fib" != frame.f_code.co_name, "a frame of another interpreter"
            frame = frame.f_back
    assert found.keys() >= {threading.get_ident(), *(thread.ident for thread in threads)}
    rounds += 1
go_on = False
for thread in threads:
    thread.join()
del found, frame
before = sys.getrefcount(sys._getframe())
for _ in range(50):
    look()
assert sys.getrefcount(sys._getframe()) == before
for id in ids:
    interpreters.destroy(id)
print("well")
"""


@pytest.mark.parametrize("name", ["current_frames", "_own_frames"])
def test_only_our_own_beside_other_interpreters(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", SCRIPT, name],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr


def test_all_of_ours() -> None:
    gate = threading.Lock()
    gate.acquire()
    thread = threading.Thread(target=gate.acquire)
    thread.start()
    try:
        found = frames.current_frames()
        assert found.keys() == sys._current_frames().keys()
        assert found[threading.get_ident()] is sys._getframe()
        assert not frames.is_subinterpreter()
    finally:
        gate.release()
        thread.join()
