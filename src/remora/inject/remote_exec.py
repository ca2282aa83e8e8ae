"""`sys.remote_exec`: CPython 3.14 and later run a script between two instructions of the main thread.

It writes the script's path into the target and returns at once. Only an interpreter of the same version knows
where to write: if ours has another one, the target's own does it, in a process that lives for 20 ms.
Source: PEP 768; CPython Python/remote_debugging.c.
"""

from __future__ import annotations

import os
import subprocess
import sys

from remora.inject.failures import cannot
from remora.inject.processes import gone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from remora.inject.processes import Target

SINCE = (3, 14)
# An interpreter starts in 20 ms; on a machine under load, from a slow disk, in seconds.
HELPER_S = 20.0
_FINAL = 0xF0
_HELPER = "import sys; sys.remote_exec(int(sys.argv[1]), sys.argv[2])"
# What takes a path that is armed back: there is no call for that, but an empty file does nothing.
NOTHING = "/dev/null"


class Unavailable(Exception):
    """This way is not open, but others may be: args[0] says why."""


def knows(target: Target) -> bool:
    """Whether the target's Python has it."""
    return (target.version >> 24, target.version >> 16 & 0xFF) >= SINCE


def arm(target: Target, path: str) -> None:
    """Have the target run the script at `path` (as the target sees it).

    PermissionError: the kernel does not let us. Unavailable: this way is closed. DapError: all ways are.
    """
    if same_version(target.version) and target.shares_view:
        try:
            sys.remote_exec(target.pid, path)  # type: ignore[attr-defined, unused-ignore]
            return
        except (OSError, RuntimeError) as error:
            if _is_final(target, str(error), error):
                raise _explain(target, str(error)) from None
    if not target.shares_view:
        raise Unavailable("it runs in a container or with another root folder")
    _through_its_own(target, path)


def _through_its_own(target: Target, path: str) -> None:
    command = [target.interpreter(), "-I", "-S", "-c", _HELPER, str(target.pid), path]
    try:
        done = subprocess.run(
            command, env=environment_for(target), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=HELPER_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"its interpreter {command[0]} cannot be run ({error})") from None
    if done.returncode != 0:
        raise _explain(target, (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])


def environment_for(target: Target) -> dict[str, str]:
    """Return the environment in which we run the target's interpreter."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    library_path = _its_library_path(target.pid)
    if library_path:
        environment["LD_LIBRARY_PATH"] = library_path
    return environment


def _its_library_path(pid: int) -> str:
    """Return the LD_LIBRARY_PATH it was started with: some builds need it to find their own library."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            for entry in file.read().split(b"\0"):
                if entry.startswith(b"LD_LIBRARY_PATH="):
                    return os.fsdecode(entry.partition(b"=")[2])
    except OSError:
        pass  # it has ended, or is not ours to read: what follows will say so
    return ""


def same_version(version: int) -> bool:
    """Whether our own interpreter knows the insides of one of that version."""
    if not hasattr(sys, "remote_exec"):
        return False
    if version & 0xF0 != _FINAL or sys.hexversion & 0xF0 != _FINAL:
        return version == sys.hexversion
    return version >> 16 == sys.hexversion >> 16


def _is_final(target: Target, text: str, error: Exception) -> bool:
    """Whether the target's own interpreter would fare no better."""
    return isinstance(error, (PermissionError, ProcessLookupError)) or "not enabled in the remote" in text


def _explain(target: Target, text: str) -> Exception:
    if not os.path.exists(f"/proc/{target.pid}/stat") or "ProcessLookupError" in text:
        return gone(target.pid)
    if "not enabled" in text or "disabled" in text or "not available" in text:
        return cannot(
            target.pid,
            "its Python was started with remote debugging switched off (PYTHON_DISABLE_REMOTE_DEBUG, "
            "`-X disable-remote-debug`, or built without it); start it without that, or with "
            "`python -m remora --listen`",
        )
    if "PermissionError" in text or "Operation not permitted" in text or "ermission denied" in text:
        return PermissionError(text)
    return Unavailable(f"sys.remote_exec: {text}")
