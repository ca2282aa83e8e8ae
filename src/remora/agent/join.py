"""How this process joins a session: listen with a hub, dial a hub, or serve a client in process.

Holds the one agent of the process. The functions are called by user threads (through the facade, the
command line, or `boot`), and return as soon as the agent is on its way.
"""

from __future__ import annotations

import _socket
import _thread
import atexit
import os
import sys
import threading  # noqa: F401  the first import, which makes "the main thread", must not be the agent thread's
import time

from remora.agent import family, fork, interpreters, loop, starting
from remora.agent.agent import Agent
from remora.agent.log import log, log_exception
from remora.agent.member import has_streams_again, hold
from remora.agent.session import Session
from remora.agent.settings import Settings
from remora.agent.sockets import bind, dial, read_address, shown
from remora.dap import json_text, messages
from remora.dap.hello import HELLO, SESSION_VARIABLE, STAYS

# Kept: gevent puts others into the module.
_allocate_lock = _thread.allocate_lock
_start_new_thread = _thread.start_new_thread
_get_ident = _thread.get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from remora.dap.hello import Address, Family, Hello, SessionStart

settings = Settings()
_agent: Agent | None = None
_listening: tuple[tuple[str, int], tuple[str, int]] | None = None  # as asked for, as it is
_lock = _allocate_lock()  # guards the two above, against two threads that listen at once
_previous_hook: Any = None
_left: Callable[[], None] = lambda: None  # noqa: E731  after the agent of an attach by process id has left

# Programs that close all descriptors count on the next ones they open being the lowest.
OUT_OF_THE_WAY_FD = 200
STOP_TIMEOUT_S = 2.0
# A hub that ends this soon could not start.
HUB_START_S = 5.0
# What the end of this program waits for a hub that does not read.
FLUSH_S = 1.0
# A child may have been started on another machine, with our environment: it must not wait for a hub there.
DIAL_S = 2.0
# What a child that joins must be able to open besides ours: it is about to import things, as we are.
SPARE_DESCRIPTORS = 8
TOKEN_VARIABLE = "REMORA_TOKEN"  # what a service is started with, so that its token stays the same
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def current() -> Agent | None:
    return _agent


def only_forks() -> bool:
    """Say whether this process is no member itself, but what it forks will be."""
    return _agent is None and family.current is not None and not family.is_over


# --- the ways in


def listen(
    address: int | tuple[str, int], *, in_process: bool = False, token: str | None = None
) -> tuple[str, int]:
    """Listen for clients; return the real address. See the facade."""
    global _listening
    asked = read_address(address)
    if token is not None and (not isinstance(token, str) or not token):
        raise TypeError("token must be a string that is not empty")
    familys = _listens_already(asked)
    if familys is not None:
        return familys
    with _lock:
        if _agent is not None and not _agent.finished:
            if _listening is not None and asked in _listening:
                return _listening[1]
            where = f"listening on {shown(*_listening[1])}" if _listening else "connected to a hub"
            raise RuntimeError(f"remora is {where} already; call remora.stop() first")
        listeners = bind(*asked)
        try:
            real = listeners[0].getsockname()[:2]
            is_open = asked[0] not in LOOPBACK and not asked[0].startswith("127.")
            if token is None:
                token = os.environ.get(TOKEN_VARIABLE) or None
                if token is not None and is_open:
                    _write_error(
                        f"remora: {shown(*real)} can be reached from other machines: "
                        f"clients need the value of {TOKEN_VARIABLE} as their token\n"
                    )
            if token is None and is_open:
                token = os.urandom(16).hex()
                _print_token(real, token)
            agent = Agent("listen", settings=settings)
            if in_process:
                from remora.agent.direct import Door

                agent.door = Door(agent, listeners, token)
                agent.door.open()
            else:
                _start_hub(agent, listeners, token)
        except BaseException:
            for listener in listeners:
                listener.close()
            raise
        _begin(agent)
        _listening = (asked, (real[0], real[1]))
        return _listening[1]


def _listens_already(asked: tuple[str, int]) -> tuple[str, int] | None:
    """Return where clients of this child can attach, if that will do; else leave the family.

    A reloader runs the line that listens in each of its children, with the port of its first process: that is
    the family's. A child that wants a port of its own gets it, unless a client is there already.
    """
    if family.is_over:
        _leave()
    agent, kin = _agent, family.current
    if kin is None:
        return None
    where = kin.get("listening")
    if agent is None:
        return where and (where[0], where[1])  # a fork server
    if agent.finished or agent.start_method != "child":
        return None
    if agent.session is None and (where is None or asked[1] not in (0, where[1])):
        stop()
        return None
    if where is None:
        return None  # and it is refused
    if asked[1] not in (0, where[1]):
        _say(f"this process is debugged already, by way of {shown(*where)}: not listening on {shown(*asked)}")
    return where[0], where[1]


def _start_hub(agent: Agent, listeners: list[_socket.socket], token: str | None) -> None:
    from remora.agent.hub_process import start_hub

    members = family.listen() if settings.sub_process else None
    kin = None
    if members is not None:
        real = listeners[0].getsockname()
        kin = family.found(members[1], os.urandom(16).hex(), listening=(real[0], real[1]))
    try:
        sock, secret = start_hub(
            listeners, token, settings, members[0] if members else None, kin["secret"] if kin else ""
        )
    finally:
        if members is not None:
            members[0].close()
    for listener in listeners:
        listener.close()
    _connect_agent(agent, sock, secret)
    if kin is not None:
        _enter(kin)


def connect(address: int | tuple[str, int], *, token: str | None = None) -> tuple[str, int]:
    """Dial a hub that is already there; return its address. OSError if there is none."""
    host, port = read_address(address)
    where: Address = {"host": host, "port": port}
    _dial(where, token or "", "connect")
    if settings.sub_process:
        _enter(family.found(where, token or "", listening=(host, port)))
    return host, port


def join(start: SessionStart) -> Agent:
    """Dial the hub that started this process, which holds its first line until a client is ready."""
    agent = _dial(start["address"], start["secret"], "launch", start)
    agent.captures_output = bool(start.get("capturesOutput"))
    if "family" in start:
        kin = start["family"]
        if agent.captures_output:
            kin["captured"] = family.identities(1, 2)
        _enter(kin)
    return agent


def join_family(kin: Family) -> bool:
    """Become a member, as the child that this process is, and hold it until the hub's word.

    Return whether a Ctrl-C came meanwhile, which it has for its program.
    """
    try:
        agent = _dial(kin["address"], kin["secret"], "child", kin=kin)
    except (OSError, RuntimeError) as error:
        # The hub is gone, and with it the family; or there is no room for us: no thread, no descriptors.
        log_exception("join", error)
        _leave()
        return False
    _enter(kin)
    log(f"child of {kin['parent']}: held")
    was_interrupted = hold(agent)
    log("runs")
    return was_interrupted


def join_guest(kin: Family) -> Agent:
    """Become a member, as the sub-interpreter that this is; nobody is held here. OSError: no hub."""
    agent = _dial(kin["address"], kin["secret"], "child", kin=kin)
    _enter(kin)
    return agent


def attach(address: Address, secret: str, kin: Family | None, left: Callable[[], None]) -> Agent:
    """Dial the hub that has brought us into this running process; when it lets go, leave, and call `left`."""
    global _left
    _left = left
    agent = _dial(address, secret, "attach")
    if kin is not None:
        _enter(kin)
    return agent


def _enter(kin: Family) -> None:
    """Let what this process starts from now on be members of the family."""
    family.enter(kin)
    starting.install()
    interpreters.install(current)


def _leave() -> None:
    """Let it be the program's own affair again. On a thread of the program."""
    family.leave()
    starting.remove()
    interpreters.remove()


def pass_on(kin: Family) -> None:
    """Be no member, but let those that are forked from here be."""
    family.current = kin
    fork.watch(current, _after_fork, _no_thread)


def read_session() -> SessionStart | None:
    """Take what a hub left in the environment, and remove it from there."""
    text = os.environ.pop(SESSION_VARIABLE, None)
    if text is None:
        return None
    if text.startswith("@"):
        with open(text[1:], encoding="utf-8") as file:
            text = file.read()
    start: SessionStart = json_text.decode(text)
    target = start["run"]
    if target["args"] is None:
        # A shell has made them: behind `boot.py PROGRAM`, or `boot.py -m MODULE`, `boot.py -c CODE`.
        target["args"] = sys.argv[2 if target["kind"] == "program" else 3 :]
    return start


def _dial(
    address: Address,
    secret: str,
    method: str,
    start: SessionStart | None = None,
    *,
    kin: Family | None = None,
    waits: bool = True,
) -> Agent:
    global _agent
    with _lock:
        if _agent is not None and not _agent.finished:
            raise RuntimeError("remora is listening or connected already; call remora.stop() first")
        agent = Agent(method, settings=settings)
        agent.holding = waits and (kin is not None or (start is not None and start.get("wait", True)))
        argv = [start["run"]["value"], *(start["run"]["args"] or ())] if start is not None else None
        try:
            if kin is not None:
                streams = ((1, "stdout"), (2, "stderr"))
                agent.hub_reads = [name for fd, name in streams if family.is_captured(fd, kin)]
                sock = dial(address, DIAL_S)
                _leave_room(sock)
                _connect_agent(agent, sock, secret, argv, kin["parent"])
            else:
                _connect_agent(agent, dial(address), secret, argv)
            _begin(agent)
        except BaseException:
            if agent.connection is not None:
                agent.connection.transport.abandon()  # Ctrl-C: the hub is not to wait for us
            agent.loop.abandon()  # its descriptors: the program may try again and again
            if _agent is agent:
                _agent = None
            raise
    return agent


def _leave_room(sock: _socket.socket) -> None:
    """Raise OSError if, with what we hold, few more descriptors may be opened: they are the program's."""
    spare: list[int] = []
    try:
        for _ in range(SPARE_DESCRIPTORS):
            spare.append(os.dup(sock.fileno()))
    except OSError:
        sock.close()
        raise
    finally:
        for fd in spare:
            os.close(fd)


def _call_again(kin: Family) -> None:
    """Dial once more: the program (a daemon, it seems) has closed our connection with all other descriptors.

    To the hub this is as an exec, so its client goes on. On a thread of its own, not before the program has
    its standard streams again, whose numbers we would take.
    """
    loop.lowest_fd = OUT_OF_THE_WAY_FD
    try:
        if has_streams_again():
            _dial(kin["address"], kin["secret"], "child", kin={**kin, "parent": os.getpid()}, waits=False)
            return
    except Exception as error:  # boundary of a thread: whatever the program has made of its descriptors
        log_exception("call again", error)
    family.is_over = True


def _connect_agent(
    agent: Agent,
    sock: _socket.socket,
    secret: str,
    argv: list[str] | None = None,
    parent: int | None = None,
) -> None:
    argv = list(interpreters.argv or sys.argv) if argv is None else argv
    began = time.monotonic()

    def closed(session: Session, reason: str) -> None:
        agent.finished = True
        agent.release()
        if agent is _agent and family.current is not None and session.transport.is_lost:
            _start_new_thread(_call_again, (family.current,))
        elif agent is _agent:
            stop()
            if agent.start_method == "attach":
                _left()
        was_at_once = not session.was_used and not session.transport.is_lost
        if was_at_once and agent.start_method == "listen" and time.monotonic() - began < HUB_START_S:
            _write_error(
                "remora: the hub could not be started, so no client can attach; is "
                f"{settings.python or sys.executable!r} a Python interpreter? "
                "(remora.configure(python=...) names another, listen(..., in_process=True) needs none)\n"
            )

    session = Session(agent, sock, peer="hub")
    session.on_closed = closed
    session.stays = agent.start_method != "attach"
    agent.connection = session
    hello: Hello = {
        "secret": secret,
        "pid": os.getpid(),
        "name": _name_of(argv),
        "executable": sys.executable or "",
        "argv": argv,
        "version": ".".join(map(str, sys.version_info[:3])),
        "startMethod": agent.start_method,  # type: ignore[typeddict-item]
        "waiting": agent.holding,
        "cwd": _folder(),
    }
    if parent is not None:
        hello["parent"] = parent
    if interpreters.number:
        hello["interpreter"] = interpreters.number
    session.transport.send(messages.event(0, HELLO, hello))
    session.transport.start()


def _name_of(argv: list[str]) -> str:
    """Return what people call a program by: the file, the module, the package that is run."""
    first, given = argv[0] if argv else "", sys.orig_argv
    if first in ("-m", "-c") and first in given[:-1]:
        # A child, before its first line: what -m leads to is not in sys.argv yet.
        behind = given[given.index(first) + 1]
        if first == "-m":
            return behind
        return "multiprocessing" if behind.startswith("from multiprocessing.") else first
    folder, file = os.path.split(first)
    return (os.path.basename(folder) if file == "__main__.py" else file) or file or "python"


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # it was removed under the program


def _flush() -> None:
    """Get everything out: this process is about to be another program."""
    agent = _agent
    if agent is not None and agent.session is not None:
        agent.session.transport.flush(stall_s=FLUSH_S)


def _exits(status: int) -> None:
    agent = _agent
    if agent is not None:
        agent.exits(status)


def _say(text: str) -> None:
    log(text)
    agent = _agent
    session = agent.session if agent is not None else None
    if session is not None:
        session.say(f"remora: {text}\n")


starting.on_exec, starting.on_exit, starting.on_over, starting.say = _flush, _exits, _leave, _say


def _begin(agent: Agent) -> None:
    """Start the thread, and hook into the process what every way in needs."""
    global _agent, _previous_hook
    _agent = agent
    atexit.register(agent.finish)
    fork.watch(current, _after_fork, _no_thread)
    fork.wrap()
    if sys.breakpointhook is not breakpoint_hook and "PYTHONBREAKPOINT" not in os.environ:
        _previous_hook = sys.breakpointhook
        sys.breakpointhook = breakpoint_hook
    try:
        agent.loop.start()
    except RuntimeError:  # the system gives no thread
        _agent = None
        agent.finished = True
        atexit.unregister(agent.finish)
        _unhook()
        fork.unwrap()
        if agent.connection is not None:
            agent.connection.on_closed = None
            agent.connection.transport.abandon()
        raise
    if agent.holding and agent.start_method != "child":
        agent.loop.soon(agent.load)  # a client is there already


def stop() -> None:
    """Leave: the client is told, the port closes, all is as it was. Idempotent.

    Any thread; on the agent's (the hub is gone) the environment has to wait for a thread of the program.
    """
    global _agent, _listening
    with _lock:
        agent, _agent, _listening = _agent, None, None
    _unhook()
    if agent is not None and agent.loop.is_current() and not family.is_guest:
        family.is_over = True
    else:
        _leave()
    fork.unwrap()
    if agent is None:
        return
    atexit.unregister(agent.finish)
    gone = _allocate_lock()
    gone.acquire()

    def leave() -> None:
        try:
            agent.finish(stays=True)
            if agent.session is not None:
                agent.session.finish()
            if agent.door is not None:
                agent.door.close()
            if agent.connection is not None:
                agent.connection.on_closed = None
                # Without it the hub would wait for the next program in this process (exec).
                agent.connection.event("terminated", {STAYS: True})
                agent.connection.transport.flush()
                agent.connection.transport.close("remora.stop()")
        finally:
            agent.loop.stop()
            gone.release()

    if agent.loop.is_current():
        leave()
    else:
        agent.loop.soon(leave)
        gone.acquire(timeout=STOP_TIMEOUT_S)
    agent.release()


def _no_thread() -> None:
    """Leave after a fork for which the agent thread ended: there is no other to be had."""
    log("no thread to go on with: leaving")
    try:
        stop()
    except Exception as error:  # boundary: the program has forked, or learns why it could not
        log_exception("leaving", error)


def breakpoint_hook(*args: Any, **kwargs: Any) -> None:
    """Be `sys.breakpointhook`: stop where breakpoint() was called, if a client is there."""
    break_in(sys._getframe(1))


def break_in(frame: FrameType) -> None:
    agent = _agent
    if agent is not None:
        agent.break_here(frame)


def _unhook() -> None:
    global _previous_hook
    if sys.breakpointhook is breakpoint_hook:
        sys.breakpointhook = _previous_hook
    _previous_hook = None


def _after_fork() -> None:
    """In a forked child: leave what was the parent's, and join if there is a family; else be as without us.

    `breakpoint()` stays ours, which does nothing in a child without a client: pdb would wait on a stdin that
    the child shares.
    """
    global _agent, _listening, _lock
    _lock = _allocate_lock()
    agent, _agent, _listening = _agent, None, None
    interpreters.forked()
    if agent is not None:
        atexit.unregister(agent.finish)
        try:
            agent.after_fork()
        except Exception as error:
            log_exception("after fork", error)
    if family.is_over:
        _leave()
    elif _get_ident() in starting.exec_follows:
        starting.exec_follows.clear()
    elif family.current is not None and join_family(family.current):
        raise KeyboardInterrupt  # which comes again: fork.py


# --- what is said to people


def _print_token(address: tuple[str, int], token: str) -> None:
    import json

    configuration = {
        "name": "remora",
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": "HOST", "port": address[1]},
        "token": token,
    }
    _write_error(
        f"remora: {shown(*address)} can be reached from other machines, so clients need a token. "
        f"To attach from an editor:\n{json.dumps(configuration, indent=4)}\n"
        f"or from a terminal: REMORA_TOKEN={token} remora attach HOST:{address[1]}\n"
    )


def _write_error(text: str) -> None:
    """Tell a person at the terminal, if there is one; never fail for it."""
    try:
        os.write(2, text.encode("utf-8", "replace"))
    except OSError as error:
        log_exception("stderr", error)
