"""Our own way in, without a debugger: ptrace(2) through ctypes. Linux on x86-64.

One thread of the target is stopped for some 0.2 ms; the others run on. It is made to call one function that
returns at once (see `native`), and goes on exactly where it was: registers, also those for vectors, its
signal mask and the system call it was in are restored. Nobody else can notice: no signal is sent, and its
parent is not told, as it would be of a stop by SIGSTOP.

* All calls must come from one thread of ours: the kernel knows the tracer as a thread.
* If we die, the kernel lets the thread go on.
* A call that does not return within `CALL_S` is taken back: the registers are restored. That is safe for
  the two functions we call, which wait only for locks that are held for microseconds.

Source: ptrace(2); Linux arch/x86/kernel/signal.c for what happens to an interrupted system call.
"""

from __future__ import annotations

import _thread
import ctypes
import errno
import os
import signal
import struct
import sys
import time

from remora.inject import native
from remora.inject.native import PAGE_BYTES, Addresses, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from remora.inject.processes import Target

CALL_S = 2.0
# From the interrupt to the stop: at once, unless the thread sits in the kernel where nothing wakes it
# (state D).
STOP_S = 1.0
# How often the main thread is looked at for a moment when it holds no lock of C for certain, and how far
# apart. A thread that computes is there every second time. One that never is can hardly hold the one lock
# that matters.
SAMPLES = 20
SAMPLE_S = 0.0005
# A look at each of this many threads for one that rests.
MAX_THREADS = 64

_CONT, _GETREGS, _SETREGS, _DETACH, _SINGLESTEP = 7, 12, 13, 17, 9
_GETREGSET, _SETREGSET, _SEIZE, _INTERRUPT = 0x4204, 0x4205, 0x4206, 0x4207
_GETSIGMASK, _SETSIGMASK = 0x420A, 0x420B
_EVENT_STOP = 128
_NT_X86_XSTATE = 0x202
_XSTATE_BYTES = 1 << 16
_WALL = 0x40000000
_REGISTERS = (
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
    "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
)  # fmt: skip
_LAYOUT = struct.Struct(f"<{len(_REGISTERS)}Q")
# Below the stack pointer lie 128 bytes that a function may use; then room for what is handed out.
_BELOW_STACK = 128 + 1024
# Where a function returns to: in the lowest page, which nobody can map. The fault tells us, and nobody
# else. (Not to the page of ours: the thread that was made may have given that back by then.)
_NOWHERE = 0x10
_SYSCALL = b"\x0f\x05"
_MMAP = 9
_PRIVATE_ANONYMOUS = 0x22
_READ_EXECUTE = 5
# Faults are told by signals too: these stay as they are, the rest waits until we have left.
_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP)
_ALL_BUT_FAULTS = (1 << 64) - 1 & ~sum(1 << (number - 1) for number in _FAULTS)


def works_here() -> bool:
    """Whether this machine is one we know."""
    return sys.platform == "linux" and os.uname().machine == native.MACHINE


def enter(target: Target, script: str, *, queue: bool) -> str | None:
    """Have the target run `script` (a path as it sees it); return how, for people, or None if it cannot be
    now.

    If none of its threads rests, and only if `queue`, the main thread is to run it as soon as it can.
    PermissionError if we may not trace it; ProcessLookupError if it ends; Unavailable.
    """
    return _on_own_thread(lambda: _enter(target, script, queue=queue))


def nudge(pid: int) -> None:
    """Interrupt the system call its main thread is in, if it is one that ends by that (epoll_wait does).

    Others go on as if nothing had been. Errors as for `enter`.
    """

    def stop_and_go() -> None:
        with Stopped(pid, pid):
            pass

    _on_own_thread(stop_and_go)


def _on_own_thread[T](work: Callable[[], T]) -> T:
    """Do it on a thread that ends then: with it ends every hold on the target, whatever has gone wrong."""
    results: list[T] = []
    errors: list[BaseException] = []
    over = _thread.allocate_lock()
    over.acquire()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # boundary: raised again by the caller
            errors.append(error)
        finally:
            over.release()

    _thread.start_new_thread(run, ())
    over.acquire()
    if errors:
        raise errors[0]
    return results[0]


def _enter(target: Target, script: str, *, queue: bool) -> str | None:
    addresses = Addresses(target)
    content = native.page(addresses, native.text_for(script))
    for thread in native.threads(target.pid)[:MAX_THREADS]:
        if native.may_rest(target.pid, thread):
            try:
                with Stopped(target.pid, thread) as stopped:
                    if stopped.rests:
                        return _start_thread(stopped, addresses, content)
            except ProcessLookupError:
                if thread == target.pid:
                    raise
                # It has ended meanwhile, as threads do.
    for attempt in range(SAMPLES if queue else 0):
        with Stopped(target.pid, target.pid) as stopped:
            if stopped.rests:
                return _start_thread(stopped, addresses, content)
            if stopped.instruction in addresses.loop or attempt == SAMPLES - 1:
                page = stopped.map_page(content)
                if stopped.call(addresses["Py_AddPendingCall"], page + native.PENDING, page) != 0:
                    raise Unavailable("its queue of pending calls is full")
                return "a pending call"
        time.sleep(SAMPLE_S)
    return None


def _start_thread(stopped: Stopped, addresses: Addresses, content: bytes) -> str:
    page = stopped.map_page(content)
    made = stopped.call(addresses["pthread_create"], stopped.scratch, 0, page + native.THREAD, page)
    if made != 0:
        raise Unavailable(f"no thread could be made in it ({os.strerror(made)})")
    return "a thread of its own"


class Stopped:
    """One thread of another process, stopped; a context manager. It goes on where it was."""

    def __init__(self, pid: int, thread: int) -> None:
        self._pid = pid
        self._thread = thread
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._ptrace = self._libc.ptrace
        self._ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
        self._ptrace.restype = ctypes.c_long
        self._before: tuple[int, ...] = ()
        self._vectors = b""
        self._mask = b""
        self._is_changed = False

    def __enter__(self) -> Stopped:
        self._do(_SEIZE)
        try:
            self._do(_INTERRUPT)
            self._stop()
            registers = ctypes.create_string_buffer(_LAYOUT.size)
            self._do(_GETREGS, 0, ctypes.addressof(registers))
            self._before = _LAYOUT.unpack(registers.raw)
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            if self._is_changed:
                self._restore()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        try:
            self._do(_DETACH)
        except ProcessLookupError:
            return  # it has died, or does not stop: then it is let go when this thread of ours ends

    @property
    def rests(self) -> bool:
        now = dict(zip(_REGISTERS, self._before, strict=True))
        return native.rests(_signed(now["orig_rax"]), _signed(now["rax"]), now["rsi"])

    @property
    def instruction(self) -> int:
        return self._before[_REGISTERS.index("rip")]

    @property
    def scratch(self) -> int:
        """Return an address in its stack that it does not use while it is ours."""
        return (self._before[_REGISTERS.index("rsp")] - _BELOW_STACK) & ~0xF

    def map_page(self, content: bytes) -> int:
        """Have it map a page of its own with this content, which may be executed; return its address."""
        address = self._system_call(_MMAP, 0, PAGE_BYTES, _READ_EXECUTE, _PRIVATE_ANONYMOUS, -1, 0)
        if -4096 < address < 0:
            raise Unavailable(f"it may not map code of ours ({os.strerror(-address)})")
        # Written from outside, so that it never has to be writable inside.
        fd = os.open(f"/proc/{self._pid}/mem", os.O_RDWR)
        try:
            os.pwrite(fd, content, address)
        finally:
            os.close(fd)
        return address

    def call(self, function: int, *arguments: int) -> int:
        """Have it call a function of C; return what that returns, as an int. Unavailable if it does not."""
        stack = self.scratch - 8
        fd = os.open(f"/proc/{self._pid}/mem", os.O_RDWR)
        try:
            os.pwrite(fd, struct.pack("<Q", _NOWHERE), stack)
        finally:
            os.close(fd)
        values = dict(zip(("rdi", "rsi", "rdx", "rcx", "r8", "r9"), arguments, strict=False))
        self._set(rip=function, rsp=stack, rax=0, orig_rax=-1, **values)
        self._run(_CONT, _NOWHERE)
        return ctypes.c_int(self._get()["rax"] & 0xFFFFFFFF).value

    def _system_call(self, number: int, *arguments: int) -> int:
        """Have it make one system call, by executing an instruction of libc's that does."""
        where = self._syscall_instruction()
        names = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
        self._set(rip=where, rax=number, orig_rax=-1, **dict(zip(names, arguments, strict=False)))
        self._run(_SINGLESTEP, where + len(_SYSCALL))
        return _signed(self._get()["rax"])

    def _syscall_instruction(self) -> int:
        """Find the instruction in what it has mapped: in the page the kernel gives to every process."""
        with open(f"/proc/{self._pid}/maps", encoding="utf-8", errors="replace") as lines:
            areas = [line for line in lines if "[vdso]" in line or ("libc" in line and " r-xp " in line)]
        fd = os.open(f"/proc/{self._pid}/mem", os.O_RDONLY)
        try:
            for line in sorted(areas, key=lambda line: "[vdso]" not in line):
                begin, end = (int(word, 16) for word in line.split(None, 1)[0].split("-"))
                at = os.pread(fd, end - begin, begin).find(_SYSCALL)
                if at >= 0:
                    return begin + at
        finally:
            os.close(fd)
        raise Unavailable("no system call instruction is found in it")

    def _get(self) -> dict[str, int]:
        registers = ctypes.create_string_buffer(_LAYOUT.size)
        self._do(_GETREGS, 0, ctypes.addressof(registers))
        return dict(zip(_REGISTERS, _LAYOUT.unpack(registers.raw), strict=True))

    def _set(self, **changed: int) -> None:
        if not self._is_changed:
            self._keep()
        values = {**dict(zip(_REGISTERS, self._before, strict=True)), **changed}
        # Flags as a function expects them: the direction up, no trace.
        values["eflags"] &= ~0x500
        packed = _LAYOUT.pack(*(values[name] & (1 << 64) - 1 for name in _REGISTERS))
        buffer = ctypes.create_string_buffer(packed, len(packed))
        self._do(_SETREGS, 0, ctypes.addressof(buffer))

    def _keep(self) -> None:
        """Keep what a call changes, and keep signals away from it."""
        buffer = ctypes.create_string_buffer(_XSTATE_BYTES)
        vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), _XSTATE_BYTES)
        self._do(_GETREGSET, _NT_X86_XSTATE, ctypes.addressof(vector))
        self._vectors = buffer.raw[: vector[1]]
        mask = ctypes.create_string_buffer(8)
        self._do(_GETSIGMASK, 8, ctypes.addressof(mask))
        self._mask = mask.raw
        self._is_changed = True
        ours = ctypes.create_string_buffer(struct.pack("<Q", _ALL_BUT_FAULTS), 8)
        self._do(_SETSIGMASK, 8, ctypes.addressof(ours))

    def _restore(self) -> None:
        packed = _LAYOUT.pack(*self._before)
        buffer = ctypes.create_string_buffer(packed, len(packed))
        self._do(_SETREGS, 0, ctypes.addressof(buffer))
        vectors = ctypes.create_string_buffer(self._vectors, len(self._vectors))
        vector = (ctypes.c_size_t * 2)(ctypes.addressof(vectors), len(self._vectors))
        self._do(_SETREGSET, _NT_X86_XSTATE, ctypes.addressof(vector))
        mask = ctypes.create_string_buffer(self._mask, 8)
        self._do(_SETSIGMASK, 8, ctypes.addressof(mask))

    def _do(self, request: int, address: int = 0, data: int = 0) -> None:
        if self._ptrace(request, self._thread, address, data) == -1:
            number = ctypes.get_errno()
            if number == errno.ESRCH:
                raise ProcessLookupError(number, os.strerror(number))
            raise OSError(number, os.strerror(number))  # PermissionError for EPERM

    def _run(self, request: int, until: int) -> None:
        """Let it go on until it stands at the address `until`. Unavailable if it gets elsewhere."""
        deadline = time.monotonic() + CALL_S
        while True:
            self._do(request)
            try:
                number, _ = self._wait(deadline)
            except TimeoutError:
                self._do(_INTERRUPT)
                self._wait(time.monotonic() + STOP_S)
                raise Unavailable("a call in it did not return, and was taken back") from None
            if self._get()["rip"] == until:
                return
            if number in _FAULTS and number != signal.SIGTRAP:
                raise Unavailable(f"a call in it ended in {signal.Signals(number).name}, and was taken back")

    def _stop(self) -> None:
        """Wait for the stop we have asked for. Signals that come first are delivered as without us."""
        deadline = time.monotonic() + STOP_S
        while True:
            number, is_ours = self._wait(deadline)
            if is_ours:
                return
            self._do(_CONT, 0, number)

    def _wait(self, deadline: float) -> tuple[int, bool]:
        """Wait until it stands; return the signal, and whether it is a stop of ptrace's own.

        TimeoutError, ProcessLookupError.
        """
        pause_s = 0.00005
        while True:
            done, status = os.waitpid(self._thread, _WALL | os.WNOHANG)
            if done:
                if not os.WIFSTOPPED(status):
                    raise ProcessLookupError(errno.ESRCH, "it has ended")
                return os.WSTOPSIG(status), status >> 16 == _EVENT_STOP
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.005)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
