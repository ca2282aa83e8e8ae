"""gdb or lldb as our hands, where `ptrace` does not know the machine: they call the same functions (see
`native`).

They stop all threads for some 50 ms, and need half a second for their own start. They are given addresses,
so they read no symbols, and their commands from a file in memory, which nobody else can read or change.

A call made by a debugger cannot be taken back by killing the debugger: the thread would go on in the middle
of it. So a debugger that hangs is interrupted, and takes the call back itself (`unwindonsignal`).
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

NAMES = ("gdb", "lldb")
# It starts in 0.3 s; on a machine under load, with a program that has mapped thousands of files, in many.
LIMIT_S = 30.0
# From the interrupt until it has let the program go.
RETREAT_S = 10.0
_PACKAGES = {"gdb": "gdb", "lldb": "lldb"}
_REFUSED = re.compile(r"Operation not permitted|ptrace: |not permitted|attach failed", re.I)


def enter(name: str, target: Target, script: str) -> None:
    """Have the target run `script`. PermissionError, Unavailable."""
    program = shutil.which(name)
    if program is None:
        raise Unavailable(f"{name} is not installed (`apt-get install {_PACKAGES[name]}` or the like)")
    if os.uname().machine != native.MACHINE:
        raise Unavailable(f"{name} would be needed, whose use on {os.uname().machine} is not in this version")
    addresses = Addresses(target)
    content = native.page(addresses, native.text_for(script))
    commands, argv = (_gdb if name == "gdb" else _lldb)(target, addresses, content)
    output = _run([program, *argv], commands)
    if _REFUSED.search(output) and "remora: done" not in output:
        raise PermissionError(output.strip().splitlines()[-1])
    found = re.search(r"remora: done (-?\d+)", output)
    if found is None:
        lines = [line for line in output.strip().splitlines() if line.strip()]
        raise Unavailable(f"{name} could not do it: {lines[-1] if lines else 'it said nothing'}")
    if found[1] != "0":
        raise Unavailable(f"{name}: the function it called failed ({found[1]})")


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


def _gdb(target: Target, addresses: Addresses, content: bytes) -> tuple[str, list[str]]:
    resting = " || ".join(f"$orig_rax == {number}" for number in sorted(native.RESTING))
    look = [
        "define remora-look",
        "if $remora_thread == 0",
        "if $rax >= -516 && $rax <= -512 || $rax == -4",
        f"if {resting} || ($orig_rax == {native.FUTEX} && ($rsi & 127) == {native.FUTEX_WAIT_BITSET})",
        "set $remora_thread = $_thread",
        "end", "end", "end", "end",
    ]  # fmt: skip
    function = (
        "((unsigned long(*)(unsigned long, unsigned long, unsigned long, unsigned long, long, unsigned long))"
    )
    create, queue = (f"{function}{addresses[name]}" for name in ("pthread_create", "Py_AddPendingCall"))
    commands = [
        "set language c", "set $remora_thread = 0", *look,
        "handle all nostop noprint pass", "handle SIGINT stop print nopass",
        f"attach {target.pid}",
        "thread apply all -q remora-look",
        "if $remora_thread != 0", "thread $remora_thread", "end",
        f"set $page = {function}{addresses['mmap']})(0, {PAGE_BYTES}, 5, 34, -1, 0)",
        'if $page == -1', 'printf "remora: it may not map code of ours\\n"', "detach", "quit", "end",
        *_writes("set {{unsigned long}}($page + {offset}) = {value}", content),
        "if $remora_thread != 0",
        f"set $made = (int) {create})($sp - 1024, 0, $page + {THREAD}, $page, 0, 0)",
        "else",
        f"set $made = (int) {queue})($page + {PENDING}, $page, 0, 0, 0, 0)",
        "end",
        "detach",
        'printf "remora: done %d\\n", $made',
        "quit",
    ]  # fmt: skip
    settings = ("confirm off", "pagination off", "auto-solib-add off", "unwindonsignal on", "width 0",
                "auto-load off", "debuginfod enabled off")  # fmt: skip
    argv = ["-q", "-nx", "-nh", "--batch"]
    for setting in settings:
        argv += ["-iex", f"set {setting}"]
    return "\n".join(commands) + "\n", [*argv, "-x"]


def _lldb(target: Target, addresses: Addresses, content: bytes) -> tuple[str, list[str]]:
    raise Unavailable("lldb is not in this version")


def _writes(command: str, content: bytes) -> list[str]:
    """Return commands that write what is not zero, eight bytes each."""
    words = struct.unpack(f"<{len(content) // 8}Q", content)
    return [
        command.format(offset=8 * number, value=hex(value)) for number, value in enumerate(words) if value
    ]
