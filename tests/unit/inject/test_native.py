"""Which threads rest, and what the page holds."""

from __future__ import annotations

import os
import platform
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from remora.inject import native

NANOSLEEP, CLOCK_NANOSLEEP, EPOLL_WAIT, MMAP, FUTEX = 35, 230, 232, 9, 202
RESTART, EINTR = -512, -4


@pytest.mark.parametrize(
    ("number", "result", "second", "expected"),
    [
        (CLOCK_NANOSLEEP, -516, 0, True),
        (NANOSLEEP, -514, 0, True),
        (EPOLL_WAIT, EINTR, 0, True),
        (CLOCK_NANOSLEEP, 0, 0, False),  # it has returned: the thread runs
        (MMAP, RESTART, 0, False),  # malloc may be waiting for it
        (-1, RESTART, 0, False),
        (FUTEX, RESTART, 0x80 | 9, True),  # a semaphore
        (FUTEX, RESTART, 0x189, True),  # with the clock of the wall
        (FUTEX, RESTART, 0x80, False),  # a lock inside libc
    ],
)
def test_rests(number: int, result: int, second: int, expected: bool) -> None:
    assert native.rests(number, result, second) is expected


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("rest", "expected"), [("time.sleep(100)", True), ("while True: pass", False)])
def test_whether_another_rests_is_seen_from_outside(rest: str, expected: bool) -> None:
    text = f"import time; print('ready', flush=True)\n{rest}"
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            deadline = time.monotonic() + 20
            while native.may_rest(process.pid, process.pid) is not expected:
                assert time.monotonic() < deadline
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_main_thread_comes_first() -> None:
    assert native.threads(os.getpid())[0] == os.getpid()


class Addresses(dict[str, int]):
    def __missing__(self, name: str) -> int:
        self[name] = 0x7F0000001000 + 16 * len(self)
        return self[name]


def test_the_page_holds_code_table_and_text() -> None:
    addresses = Addresses()
    page = native.page(addresses, "pass\n")  # type: ignore[arg-type]
    assert len(page) == native.PAGE_BYTES
    table = struct.unpack_from("<6Q", page, native.TABLE)
    assert [name for value in table for name, known in addresses.items() if known == value] == [
        "PyGILState_Ensure", "PyRun_SimpleString", "PyGILState_Release", "munmap", "pthread_self",
        "pthread_detach",
    ]  # fmt: skip
    assert page[native.TEXT :].rstrip(b"\0") == b"pass\n"
    for begin, end in ((native.THREAD, native.PENDING), (native.PENDING, native.TABLE)):
        assert page[begin:end].rstrip(b"\0").endswith(b"\xff\xe0")  # a jump, never a return into the page
    assert not any(page[: native.THREAD])


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        native.page(Addresses(), "#" * 4000)  # type: ignore[arg-type]


@pytest.mark.skipif(platform.machine() != native.MACHINE, reason="the code is x86-64")
def test_the_pending_call_runs_its_text_and_gives_the_page_back() -> None:
    """The machine code itself, in this very process."""
    import ctypes
    import mmap

    from remora.inject.processes import Target

    addresses = native.Addresses(Target(os.getpid()))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    address = libc.mmap(None, native.PAGE_BYTES, 7, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    content = native.page(addresses, "import sys; sys.remora_test = 17\n")
    ctypes.memmove(address, content, len(content))
    call = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(address + native.PENDING)
    assert call(address) == 0
    assert sys.__dict__.pop("remora_test") == 17
    assert f"{address:x}-" not in Path("/proc/self/maps").read_text()


def test_the_script_is_quiet_when_it_is_gone(capfd: pytest.CaptureFixture[str]) -> None:
    exec(native.text_for("/nonexistent/go.py"), {})
    assert capfd.readouterr() == ("", "")
