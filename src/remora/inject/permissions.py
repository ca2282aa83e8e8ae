"""Why the kernel does not let us at a process, and what to change.

Asked only after something was refused: what is looked at here explains, it does not decide.
Source: ptrace(2) "Ptrace access mode checking", Documentation/admin-guide/LSM/Yama.rst, capabilities(7).
"""

from __future__ import annotations

import os

_CAP_SYS_PTRACE = 19
_YAMA = "/proc/sys/kernel/yama/ptrace_scope"
_IN_CONTAINER = "in a container: `docker run --cap-add=SYS_PTRACE`, or `securityContext.capabilities.add: [SYS_PTRACE]` in Kubernetes"


def why_not_readable(pid: int, uid: int) -> str:
    """Explain why /proc/PID cannot be read."""
    if uid != os.geteuid() and not _has_ptrace():
        return _other_user(uid)
    if uid != os.geteuid():
        return f"the kernel refuses it ({user_name(uid)} may be of another user namespace)"
    return _not_dumpable()


def why_not_traced(pid: int, uid: int) -> str:
    """Explain why the memory of the process may not be touched (EPERM)."""
    if _has_ptrace():
        scope = yama_scope()
        if scope == 3:
            return (
                "the kernel forbids it to everybody (kernel.yama.ptrace_scope is 3, which lasts until the next "
                "start of the machine): start the program with `python -m remora --listen` instead"
            )
        return (
            "the kernel refuses it though this process has CAP_SYS_PTRACE: a security module or a user namespace "
            f"is in the way ({_seccomp_or('see the audit log')})"
        )
    if uid != os.geteuid():
        return _other_user(uid)
    match yama_scope():
        case 1:
            return (
                "the kernel lets a process be debugged by its ancestors only (kernel.yama.ptrace_scope is 1). "
                "Either allow it until the next start, `sudo sysctl kernel.yama.ptrace_scope=0`, or run the "
                f"debugger as root; {_IN_CONTAINER}"
            )
        case 2:
            return (
                "the kernel lets only root debug a process (kernel.yama.ptrace_scope is 2): run the debugger as "
                f"root, or `sudo sysctl kernel.yama.ptrace_scope=0`; {_IN_CONTAINER}"
            )
        case 3:
            return (
                "the kernel forbids it to everybody (kernel.yama.ptrace_scope is 3, which lasts until the next "
                "start of the machine): start the program with `python -m remora --listen` instead"
            )
    seccomp = _seccomp_or("")
    if seccomp:
        return seccomp
    if os.geteuid() == 0:
        return f"root has no CAP_SYS_PTRACE here; {_IN_CONTAINER}"
    return _not_dumpable()


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


def _not_dumpable() -> str:
    return (
        "the kernel protects it: it has changed its user, or its file may not be read (prctl PR_SET_DUMPABLE). "
        "Run the debugger as root"
    )


def _seccomp_or(other: str) -> str:
    """Say that a seccomp filter of ours may be what refuses, if we have one."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            mode = next((line.split()[1] for line in file if line.startswith("Seccomp:")), "0")
    except OSError:
        return other
    if mode != "2":
        return other
    return f"this process runs under a seccomp filter that may refuse it; {_IN_CONTAINER} (it changes the filter too)"


def _has_ptrace() -> bool:
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("CapEff:"):
                    return bool(int(line.split()[1], 16) >> _CAP_SYS_PTRACE & 1)
    except OSError:
        pass
    return os.geteuid() == 0
