"""The sessions of a family of processes: the one a client began with, and those of its children.

An adapter announces a child with the reverse request `startDebugging`, or with the event `debugpyAttach` to
a client that has not said it takes that. A `Family` opens a connection for the child, attaches, lets
`configure` set what shall stop it, and lets it run. A child holds its first line until then, so nothing of
it is missed.

Threads: each child is opened and configured on a thread of its own, whatever the rest of the client does
meanwhile. `_changed` guards the lists; no callback and no I/O happens under it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from remora.client.client import LOOK_S, Body, Client
from remora.client.failures import ClientError, TimedOut
from remora.client.session import DebugSession
from remora.dap.errors import UNSUPPORTED, DapError

#: what `configure` returns to leave a child waiting: who asked calls its `configuration_done` later
HOLD = object()

# The hub is there, it has just spoken to us.
_DIAL_S = 10.0


def stops_of_the_parent(child: DebugSession) -> None:
    """Set what stops the parent: breakpoints and exception filters."""
    if child.parent is not None:
        child.copy_stops(child.parent)


class Family:
    """Give it to the first session: `DebugSession(client, family=Family())`."""

    def __init__(self, configure: Callable[[DebugSession], object] = stops_of_the_parent) -> None:
        """Take what to do with a child that is attached to and waits; it runs then, unless that is HOLD."""
        self.configure = configure
        self._changed = threading.Condition()
        self._sessions: list[DebugSession] = []
        #: those that are configured, and were not given out by `wait_child` yet
        self._ready: list[DebugSession] = []
        self._failures: list[str] = []
        self._closed = False

    # What a subclass may do its own way; on the child's thread

    def open(self, parent: DebugSession, configuration: Body) -> DebugSession:
        """Connect to a child; `configuration` is what its parent's adapter said. OSError, ValueError."""
        host, port = address_in(configuration)
        client = Client.connect(host, port, connect_timeout_s=_DIAL_S)
        return type(parent)(
            client,
            features=parent.features,
            timeout_s=parent.timeout_s,
            family=self,
            parent=parent,
            configuration=configuration,
        )

    def failed(self, child: DebugSession | None, configuration: Body, why: str) -> None:
        """Hear that a child could not be attached to, or (None) not even reached: it runs on or has ended."""

    # Looking

    @property
    def sessions(self) -> list[DebugSession]:
        """All sessions so far, ended ones included, in the order they came."""
        with self._changed:
            return list(self._sessions)

    @property
    def failures(self) -> list[str]:
        """Why children could not be attached to."""
        with self._changed:
            return list(self._failures)

    def wait_child(
        self,
        parent: DebugSession | None,
        *,
        where: Callable[[DebugSession], bool] | None = None,
        timeout_s: float,
    ) -> DebugSession:
        """Return the next child (of `parent`, if given) that is attached to and configured. TimedOut."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for child in self._ready:
                    if (parent is None or child.parent is parent) and (where is None or where(child)):
                        self._ready.remove(child)
                        return child
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    failures = "".join(f"\n  {each}" for each in self._failures)
                    raise TimedOut(
                        f"no child within {timeout_s:g} s"
                        + (f"; these failed:{failures}" if failures else "")
                    )
                self._changed.wait(min(left_s, LOOK_S))

    # Joining and leaving

    def adopt(self, session: DebugSession) -> None:
        """Take a session in, and hear of its children from now on. Called by `DebugSession`."""
        client = session.client
        answer_before, tell_before = client.on_reverse_request, client.on_event

        def answer(command: str, arguments: Body) -> Mapping[str, Any] | None:
            if command == "startDebugging":
                self._asked(session, arguments)
                return None
            if answer_before is None:
                raise UNSUPPORTED(command=command, reason="this client does not take it")
            return answer_before(command, arguments)

        def tell(name: str, body: Body) -> None:
            if name == "debugpyAttach":
                # Opening waits for answers, and this is the reader's thread.
                threading.Thread(
                    target=self._open_or_tell,
                    args=(session, "attach", body),
                    name="remora-client-child",
                    daemon=True,
                ).start()
            if tell_before is not None:
                tell_before(name, body)

        with self._changed:
            closed = self._closed
            if not closed:
                self._sessions.append(session)
                self._changed.notify_all()
        if closed:
            client.close()
        client.on_reverse_request, client.on_event = answer, tell

    def forget(self, session: DebugSession) -> None:
        """Keep a session no more that is over: a program may have thousands of children."""
        with self._changed:
            for sessions in (self._sessions, self._ready):
                if session in sessions:
                    sessions.remove(session)

    def close(self) -> None:
        """Close all connections; children that come now are refused. Idempotent."""
        with self._changed:
            self._closed = True
            sessions = list(self._sessions)
            self._changed.notify_all()
        for session in reversed(sessions):
            session.client.close()

    # On the thread of a child

    def _asked(self, parent: DebugSession, arguments: Body) -> None:
        """Agree to `startDebugging` once the connection stands: a refusal lets the child go at once."""
        configuration = arguments.get("configuration")
        configuration = configuration if isinstance(configuration, dict) else {}
        command = str(arguments.get("request") or "attach")
        try:
            child = self._open(parent, configuration)
        except (OSError, ValueError) as error:
            self._note_failure(None, configuration, str(error))
            raise DapError(f"the child cannot be reached: {error}") from error
        threading.Thread(
            target=self._begin, args=(child, command, configuration), name="remora-client-child", daemon=True
        ).start()

    def _open_or_tell(self, parent: DebugSession, command: str, configuration: Body) -> None:
        try:
            child = self._open(parent, configuration)
        except (OSError, ValueError) as error:
            self._note_failure(None, configuration, str(error))
        else:
            self._begin(child, command, configuration)

    def _open(self, parent: DebugSession, configuration: Body) -> DebugSession:
        with self._changed:
            if self._closed:
                raise ValueError("the client is closing")
        return self.open(parent, configuration)

    def _begin(self, child: DebugSession, command: str, configuration: Body) -> None:
        try:
            child.begin(command, configuration)
            if self.configure(child) is not HOLD and not child.is_configured:
                child.configuration_done()
        except (
            Exception
        ) as error:  # ClientError, or the caller's code in `configure`: a child must not stay held
            child.client.close()
            self._note_failure(
                child, configuration, str(error) if isinstance(error, ClientError) else repr(error)
            )
            return
        with self._changed:
            self._ready.append(child)
            self._changed.notify_all()

    def _note_failure(self, child: DebugSession | None, configuration: Body, why: str) -> None:
        with self._changed:
            if self._closed:
                return
            self._failures.append(f"{configuration.get('name') or 'a child'}: {why}")
            self._changed.notify_all()
        self.failed(child, configuration, why)


def address_in(configuration: Body) -> tuple[str, int]:
    """Return where a child's configuration says it can be reached. ValueError."""
    connect = configuration.get("connect")
    address = connect if isinstance(connect, dict) else configuration
    host, port = address.get("host") or "127.0.0.1", address.get("port")
    if not isinstance(host, str) or not isinstance(port, int):
        raise ValueError("its configuration names no address to connect to")
    return host, port
