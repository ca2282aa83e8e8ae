"""Why the kernel does not let us at a process, and what to change.

Asked only after something was refused: what is looked at here explains, it does not decide.
Source: ptrace(2) "Ptrace access mode checking", Documentation/admin-guide/LSM/Yama.rst, capabilities(7).
"""

from __future__ import annotations

import os

_CAP_SYS_PTRACE = 19
_YAMA = "/proc/sys/kernel/yama/ptrace_scope"
_IN_CONTAINER = (
    "in a container: `docker run --cap-add=SYS_PTRACE`, or in Kubernetes "
    "`securityContext.capabilities.add: [SYS_PTRACE]`"
)
_NEVER = (
    "the kernel forbids it to everybody (kernel.yama.ptrace_scope is 3, which lasts until the next start of "
    "the machine): start the program with `python -m remora --listen` instead"
)


def why_not_readable(pid: int, uid: int) -> str:
    """Explain why /proc/PID cannot be read."""
    if uid != os.geteuid() and not _has_ptrace():
        return _other_user(uid)
    return _protected()


def may_trace(pid: int) -> bool:
    """Whether the kernel would let us at its memory; asking changes nothing."""
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
    except OSError:
        return False
    return True


def why_not_traced(pid: int, uid: int, scope: int | None = -1) -> str:
    """Explain why the memory of the process may not be touched (EPERM); `scope` is Yama's, -1: ask for it."""
    tracer = _tracer(pid)
    if tracer:
        return f"process {tracer} debugs or traces it already (gdb, strace); end that first"
    if scope == -1:
        scope = yama_scope()
    if scope == 3:
        return _NEVER
    if _has_ptrace():
        return _protected()
    if uid != os.geteuid():
        return _other_user(uid)
    if scope == 1:
        return (
            "the kernel lets a process be debugged by its ancestors only (kernel.yama.ptrace_scope is 1). "
            "Either allow it until the next start, `sudo sysctl kernel.yama.ptrace_scope=0`, or run the "
            f"debugger as root; {_IN_CONTAINER}"
        )
    if scope == 2:
        return (
            "the kernel lets only root debug a process (kernel.yama.ptrace_scope is 2): run the debugger as "
            f"root, or `sudo sysctl kernel.yama.ptrace_scope=0`; {_IN_CONTAINER}"
        )
    return _protected()


def yama_scope() -> int | None:
    """Return the kernel's `ptrace_scope`, None where there is no Yama."""
    try:
        with open(_YAMA, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def user_name(uid: int) -> str:
    try:
        import pwd

        return f"user {pwd.getpwuid(uid).pw_name}"
    except (ImportError, KeyError):
        return f"user {uid}"


def _other_user(uid: int) -> str:
    if os.geteuid() == 0:
        return f"it belongs to {user_name(uid)}, and root has no CAP_SYS_PTRACE here; {_IN_CONTAINER}"
    return (
        f"it belongs to {user_name(uid)}: run the debugger as that user (`sudo -u '#{uid}' …`) or as root "
        "(`sudo …`)"
    )


def _protected() -> str:
    if os.geteuid() != 0:
        return (
            "the kernel protects it: it has changed its user, or its file may not be read (PR_SET_DUMPABLE)"
            f"{_seccomp()}. Run the debugger as root"
        )
    if not _has_ptrace():
        return f"root has no CAP_SYS_PTRACE here{_seccomp()}; {_IN_CONTAINER}"
    return (
        "the kernel refuses it even to root: it is of another user namespace, or a security module (SELinux, "
        f"AppArmor) protects it{_seccomp()}"
    )


def _seccomp() -> str:
    """Say that a seccomp filter of ours may be what refuses, if we have one."""
    if _own_status("Seccomp:") != "2":
        return ""
    return ", or the seccomp filter of this container forbids it (--cap-add=SYS_PTRACE changes that too)"


def _tracer(pid: int) -> int:
    """Return the process that traces it, 0 for none."""
    tracer = _status(str(pid), "TracerPid:")
    # The kernel knows the tracer as a thread.
    return int(_status(tracer, "Tgid:") or tracer) if tracer not in ("", "0") else 0


def _has_ptrace() -> bool:
    capabilities = _own_status("CapEff:")
    return bool(int(capabilities, 16) >> _CAP_SYS_PTRACE & 1) if capabilities else os.geteuid() == 0


def _own_status(field: str) -> str:
    return _status("self", field)


def _status(process: str, field: str) -> str:
    try:
        with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as lines:
            return next((line.split()[1] for line in lines if line.startswith(field)), "")
    except OSError:
        return ""
