"""gdb as our hands, where `ptrace` does not know the machine: it calls the same functions (see `native`).

It stops all threads for some 50 ms, and needs half a second for its own start. It is given addresses, so it
reads no symbols, and its commands come from a file in memory, which nobody else can read or change.

On machines for which `native` has no code the main thread only queues the script, which it then runs when
it is back from what it is blocked in.

A call made by a debugger cannot be taken back by killing the debugger: the thread would go on in the middle
of it. So one that hangs is interrupted, and takes the call back itself (`unwindonsignal`).

Rejected: lldb. It compiles what it is told to call into memory of the target, with calls of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess

from remora.inject import native
from remora.inject.native import PAGE_BYTES, PENDING, THREAD, Addresses, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from remora.inject.processes import Target

NAMES = ("gdb",)
# It starts in 0.3 s; on a machine under load, with a program that has mapped thousands of files, in many.
LIMIT_S = 30.0
# From the interrupt until it has let the program go.
RETREAT_S = 10.0
_REFUSED = re.compile(r"Operation not permitted|ptrace: |not permitted|attach failed", re.I)


def enter(name: str, target: Target, script: str, *, machine: str | None = None) -> None:
    """Have the target run `script`. PermissionError, Unavailable. `machine` is this one, but for tests."""
    program = shutil.which(name)
    if program is None:
        raise Unavailable(f"{name} is not installed (`apt-get install {name}` or the like)")
    addresses = Addresses(target)
    text = native.text_for(script)
    if (machine or os.uname().machine) == native.MACHINE:
        commands = _with_code(addresses, native.page(addresses, text))
    else:
        commands = _queued(addresses, native.text_page(text))
    output = _run([program, *_ARGUMENTS], "\n".join([*_BEFORE, f"attach {target.pid}", *commands, *_AFTER]))
    found = re.search(r"remora: done (-?\d+)", output)
    if found is None and _REFUSED.search(output):
        raise PermissionError(output.strip().splitlines()[-1])
    if found is None:
        lines = [line for line in output.strip().splitlines() if line.strip()]
        raise Unavailable(f"{name} could not do it: {lines[-1] if lines else 'it said nothing'}")
    if found[1] != "0":
        raise Unavailable(f"{name}: the function it called failed ({found[1]})")


_READ_WRITE, _READ_EXECUTE, _PRIVATE_ANONYMOUS = 3, 5, 34
_FUNCTION = (
    "((unsigned long(*)(unsigned long, unsigned long, unsigned long, unsigned long, long, unsigned long))"
)
_SETTINGS = ("confirm off", "pagination off", "auto-solib-add off", "unwindonsignal on", "width 0",
             "auto-load off", "debuginfod enabled off")  # fmt: skip
_ARGUMENTS = ["-q", "-nx", "-nh", "--batch"]
for _setting in _SETTINGS:
    _ARGUMENTS += ["-iex", f"set {_setting}"]
_ARGUMENTS.append("-x")
_BEFORE = ("set language c", "handle all nostop noprint pass", "handle SIGINT stop print nopass")
_AFTER = ("detach", 'printf "remora: done %d\\n", $made', "quit", "")


def _run(argv: list[str], commands: str) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBUGINFOD_URLS": ""}
    fd = os.memfd_create("remora")
    try:
        os.write(fd, commands.encode())
        process = subprocess.Popen(
            [*argv, f"/proc/self/fd/{fd}"], pass_fds=[fd], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", env=environment, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Unavailable(f"{argv[0]} cannot be run ({error.strerror})") from None
    finally:
        os.close(fd)
    try:
        return process.communicate(timeout=LIMIT_S)[0]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            output = process.communicate(timeout=RETREAT_S)[0]
        except subprocess.TimeoutExpired:
            process.terminate()  # it detaches, but not in the middle of a call any more
            output = process.communicate()[0]
        return output + "\nit took longer than 30 s"


def _with_code(addresses: Addresses, content: bytes) -> list[str]:
    """Let a resting thread start ours; if there is none, queue the script. For x86-64."""
    resting = " || ".join(f"$orig_rax == {number}" for number in sorted(native.RESTING))
    return [
        "set $remora_thread = 0",
        "define remora-look",
        "if $remora_thread == 0",
        "if $rax >= -516 && $rax <= -512 || $rax == -4",
        f"if {resting} || ($orig_rax == {native.FUTEX} && ($rsi & 127) == {native.FUTEX_WAIT_BITSET})",
        "set $remora_thread = $_thread",
        "end", "end", "end", "end",
        "thread apply all -q remora-look",
        "if $remora_thread != 0", "thread $remora_thread", "end",
        *_mapped(addresses, _READ_EXECUTE, content),
        "if $remora_thread != 0",
        _call(addresses, "pthread_create", f"$sp - 1024, 0, $page + {THREAD}, $page, 0, 0"),
        "else",
        _call(addresses, "Py_AddPendingCall", f"$page + {PENDING}, $page, 0, 0, 0, 0"),
        "end",
    ]  # fmt: skip


def _queued(addresses: Addresses, content: bytes) -> list[str]:
    """Queue the script. For any machine; the page stays."""
    run = addresses["PyRun_SimpleString"]
    return [
        "thread 1",
        *_mapped(addresses, _READ_WRITE, content),
        _call(addresses, "Py_AddPendingCall", f"{run}, $page, 0, 0, 0, 0"),
    ]


def _mapped(addresses: Addresses, access: int, content: bytes) -> list[str]:
    mmap = f"{_FUNCTION}{addresses['mmap']})"
    return [
        f"set $page = {mmap}(0, {PAGE_BYTES}, {access}, {_PRIVATE_ANONYMOUS}, -1, 0)",
        'if $page == -1', 'printf "remora: it may not map code of ours\\n"', "detach", "quit", "end",
        *_writes("set {{unsigned long}}($page + {offset}) = {value}", content),
    ]  # fmt: skip


def _call(addresses: Addresses, name: str, arguments: str) -> str:
    return f"set $made = (int) {_FUNCTION}{addresses[name]})({arguments})"


def _writes(command: str, content: bytes) -> list[str]:
    """Return commands that write what is not zero, eight bytes each."""
    words = struct.unpack(f"<{len(content) // 8}Q", content)
    return [
        command.format(offset=8 * number, value=hex(value)) for number, value in enumerate(words) if value
    ]
