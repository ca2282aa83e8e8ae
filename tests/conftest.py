"""What every test lives under: a hard time-out that shows all stacks, and no process left behind.

Time-out, in two stages, because a debugger's tests hang in places where no exception arrives:

1. after the limit, SIGALRM raises in the main thread and the test fails with the stacks of all threads;
   the signal repeats, in case the first exception was swallowed;
2. ten seconds later faulthandler prints the stacks and ends this worker; xdist reports the test and starts
   another worker.

`@pytest.mark.time_limit(seconds)` changes the limit of one test.

Processes: the environment carries a token for each test, which everything it starts inherits, a detached hub
too. A process that still has the token a few seconds after the test is killed and the test fails.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import tempfile
import uuid
from typing import TYPE_CHECKING

import pytest

from processes import TOKEN_NAME, leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

DEFAULT_LIMIT_S = 60.0
# A hub goes when its last session is gone; give it and the kernel this long.
LEAK_GRACE_S = 5.0

real_stderr_fd = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "time_limit(seconds): hard limit for this test, 60 s by default")
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        config.stash[real_stderr_fd] = os.dup(2)
    # Settings of the person who runs the tests, and of .ci/run, are none of the programs'.
    for name in [name for name in os.environ if name.startswith("REMORA_")]:
        del os.environ[name]
    # What a test starts is found by this; the session's token catches what slips through a test's own.
    os.environ[TOKEN_NAME] = f"session-{uuid.uuid4().hex}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Put fixtures, the test and their teardown under one limit."""
    marker = item.get_closest_marker("time_limit")
    limit_s = float(marker.args[0]) if marker else DEFAULT_LIMIT_S

    def expired(signum: int, frame: FrameType | None) -> None:
        with tempfile.TemporaryFile("w+") as stacks:
            faulthandler.dump_traceback(stacks, all_threads=True)
            stacks.seek(0)
            # A BaseException: code that guards against Exception must not swallow it.
            pytest.fail(f"no end after {limit_s:g} s; all threads:\n{stacks.read()}", pytrace=False)

    previous = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, limit_s, 2.0)
    faulthandler.dump_traceback_later(limit_s + 10.0, exit=True, file=item.config.stash[real_stderr_fd])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture(autouse=True)
def no_process_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if something it started is still there.

    The unit tests start nothing, and there are many of them: they are covered by the check at the end.
    """
    if "unit" in request.path.parts:
        yield
        return
    outer = os.environ[TOKEN_NAME]
    token = os.environ[TOKEN_NAME] = f"{outer}/{uuid.uuid4().hex}"
    try:
        yield
    finally:
        os.environ[TOKEN_NAME] = outer
    left = leftovers(token, LEAK_GRACE_S)
    if left:
        pytest.fail("processes left behind:\n" + "\n".join(left), pytrace=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    left = leftovers(os.environ[TOKEN_NAME], LEAK_GRACE_S)
    if left:
        os.write(session.config.stash[real_stderr_fd], ("left behind:\n" + "\n".join(left) + "\n").encode())
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
