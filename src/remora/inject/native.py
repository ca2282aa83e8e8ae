"""What is done inside a process where no Python call lets us in: which functions, with what, and when it is
safe.

For `ptrace` and for gdb, which differ only in how they make a thread of the target
call a function. Two ways, both of which return at once, whatever the program is doing:

* a thread that **rests** in a system call that holds no lock of libc (sleep, recv, accept, wait, a
  semaphore …) calls `pthread_create`. The new thread takes the interpreter lock when it gets it, runs our
  script, and ends. The program's own threads are not involved, so this works where all of them are blocked;
* where none rests, the busy main thread calls `Py_AddPendingCall`, which takes no memory and no interpreter
  lock: it runs the script soon, between two instructions.

Never called on an interrupted thread: anything that allocates (it may stand in malloc), `PyGILState_Ensure`
or Python code (they wait, and a call that waits cannot be taken back).

What they are given lies in one page of its own, which the code in it gives back to the system at its end.
Source: glibc nptl (a semaphore waits with FUTEX_WAIT_BITSET, an internal lock with FUTEX_WAIT); System V
x86-64 ABI.
"""

from __future__ import annotations

import os
import struct

from remora.inject.elf import Image, NotElf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from remora.inject.processes import Mapped, Target

PAGE_BYTES = 4096
# The link in the folder where we meet the target that says why the script cannot be run.
FAILED = "failed"
MACHINE = "x86_64"
# Where in the page what begins: the two codes, the table of functions, the text.
THREAD, PENDING, TABLE, TEXT = 16, 192, 320, 512
_FUNCTIONS = ("PyGILState_Ensure", "PyRun_SimpleString", "PyGILState_Release", "munmap", "pthread_self",
              "pthread_detach")  # fmt: skip

# System calls a thread may be made to call pthread_create in: what Python and programs block in, with no
# lock held.
RESTING = frozenset((
    0, 1, 7, 20, 23, 34, 35, 42, 43, 44, 45, 46, 47, 61, 73, 128, 130, 230, 232, 247, 270, 271, 281, 288,
    299, 441,
))  # fmt: skip
FUTEX = 202
_FUTEX_COMMAND, FUTEX_WAIT_BITSET = 0x7F, 9
# What the kernel leaves as the result of an interrupted call: EINTR, or one of its own that mean "call
# again".
_INTERRUPTED = frozenset((-4, -512, -513, -514, -516))


class Unavailable(Exception):
    """This way is not open: args[0] says why."""


class Addresses:
    """Where the functions are, in the target."""

    __slots__ = ("_by_name", "loop")

    def __init__(self, target: Target) -> None:
        """Unavailable names what is missing."""
        wanted = {*_FUNCTIONS, "Py_AddPendingCall", "pthread_create", "mmap"}
        self._by_name: dict[str, int] = {}
        # Where the loop lies that executes bytecode: a thread that is right there holds no lock of C.
        self.loop = range(0)
        files = [target.python, *(file for file in target.mapped if _is_libc(file.path))]
        for file in files:
            self._look_into(target, file, wanted - self._by_name.keys())
        missing = sorted(wanted - self._by_name.keys())
        if missing:
            raise Unavailable(f"{', '.join(missing)} not found in it (a static or stripped build)")

    def _look_into(self, target: Target, file: Mapped, names: set[str]) -> None:
        try:
            with Image(target.file_of(file)) as image:
                for name in names:
                    offset = image.offset_of(name)
                    if offset is not None:
                        self._by_name[name] = file.address + offset
                extent = image.extent_of("_PyEval_EvalFrameDefault")
                if extent is not None:
                    self.loop = range(file.address + extent[0], file.address + extent[0] + extent[1])
        except (OSError, NotElf):
            return  # what is not found is named

    def __getitem__(self, name: str) -> int:
        return self._by_name[name]


def page(addresses: Addresses, text: str) -> bytes:
    """Return the content of the page. Position-independent but for the table."""
    source = text.encode() + b"\0"
    if TEXT + len(source) > PAGE_BYTES:
        raise ValueError("the text is too long for the page")
    content = bytearray(PAGE_BYTES)
    for place, code in ((THREAD, _thread_code()), (PENDING, _pending_code())):
        content[place : place + len(code)] = code
    for number, name in enumerate(_FUNCTIONS):
        struct.pack_into("<Q", content, TABLE + 8 * number, addresses[name])
    content[TEXT : TEXT + len(source)] = source
    return bytes(content)


def text_page(text: str) -> bytes:
    """Return a page that holds the text alone."""
    source = text.encode() + b"\0"
    if len(source) > PAGE_BYTES:
        raise ValueError("the text is too long for the page")
    return source.ljust(PAGE_BYTES, b"\0")


def text_for(script: str) -> str:
    """Return the Python that runs a script, on whatever thread; quiet if it is gone.

    And if it cannot be read (no descriptor is left, or the program has replaced what that takes): what comes
    out of here is printed. A link says why, since that takes no descriptor.
    """
    link = os.path.join(os.path.dirname(script), FAILED)
    return (
        f"try: exec(__import__('_io').open_code({script!r}).read(),{{'__name__':'remora go'}})\n"
        "except FileNotFoundError: pass\n"
        "except BaseException as error:\n"
        f" try: __import__('posix').symlink(repr(error)[:200],{link!r})\n"
        " except BaseException: pass\n"
    )


def rests(number: int, result: int, second_argument: int) -> bool:
    """Whether a stopped thread rests: its system call (-1: none), that one's result and second argument."""
    if result not in _INTERRUPTED:
        return False
    if number == FUTEX:
        return second_argument & _FUTEX_COMMAND == FUTEX_WAIT_BITSET
    return number in RESTING


def may_rest(pid: int, thread: int) -> bool:
    """Whether a running thread looks as if it rested; None of this is certain until it is stopped."""
    try:
        with open(f"/proc/{pid}/task/{thread}/syscall", encoding="ascii") as file:
            words = file.read().split()
    except OSError:
        return True  # not told: look at it when it is stopped
    if len(words) < 4:
        return False  # "running", or "-1 sp pc": not in a system call
    return rests(int(words[0]), -512, int(words[2], 16))


def threads(pid: int) -> list[int]:
    """List its threads, the main one first."""
    found = sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    return sorted(found, key=lambda thread: thread != pid)


def _call(number: int) -> bytes:
    return b"\xff\x93" + struct.pack("<i", TABLE + 8 * number)  # call [rbx + …]


_LEA_TEXT = b"\x48\x8d\xbb" + struct.pack("<i", TEXT)  # lea rdi, [rbx + TEXT]
_GIVE_BACK = (
    b"\x48\x89\xdf"  # mov rdi, rbx
    + b"\xbe" + struct.pack("<i", PAGE_BYTES)  # mov esi, 4096
    + b"\x48\x8b\x83" + struct.pack("<i", TABLE + 8 * _FUNCTIONS.index("munmap"))  # mov rax, [rbx + …]
)  # fmt: skip
_LEAVE = b"\xff\xe0"  # jmp rax: munmap returns to our caller, so nothing of the page runs after it is gone


def _thread_code() -> bytes:
    """A start routine: void *(*)(void *page). It detaches itself, since nobody joins it."""
    return b"".join((
        b"\x53\x41\x54\x50",  # push rbx; push r12; push rax: the stack is aligned for calls
        b"\x48\x89\xfb",  # mov rbx, rdi
        _call(4), b"\x48\x89\xc7",  # pthread_self(); mov rdi, rax
        _call(5),  # pthread_detach(self)
        _call(0), b"\x41\x89\xc4",  # PyGILState_Ensure(); mov r12d, eax
        _LEA_TEXT, _call(1),  # PyRun_SimpleString(text)
        b"\x44\x89\xe7", _call(2),  # mov edi, r12d; PyGILState_Release(state)
        _GIVE_BACK,
        b"\x59\x41\x5c\x5b",  # pop rcx; pop r12; pop rbx
        _LEAVE,
    ))  # fmt: skip


def _pending_code() -> bytes:
    """A pending call: int (*)(void *page). munmap's 0 is its own."""
    return b"".join((
        b"\x53",  # push rbx: the stack is aligned for calls
        b"\x48\x89\xfb",  # mov rbx, rdi
        _LEA_TEXT, _call(1),  # PyRun_SimpleString(text)
        _GIVE_BACK,
        b"\x5b",  # pop rbx
        _LEAVE,
    ))  # fmt: skip


def _is_libc(path: str) -> bool:
    name = os.path.basename(path)
    return name.startswith(("libc.so", "libc-", "libpthread", "ld-musl", "libc.musl"))
