"""Children that wait at their first line, and the clients that are told of them.

A child is told to one client (docs/design/processes.md says which), by `startDebugging` or by the event
`debugpyAttach`. It runs on, by the event `remoraGo`, as soon as nobody can be expected to attach: there is no
such client, it refuses, it is gone, or its time is up. Later it can still be attached to.

A client that attaches to a member by itself, not because it was told of it, is told of those of its
descendants that have no client; whoever was told of a member and may still come keeps it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from remora.hub.client import Client
    from remora.hub.family import Tree
    from remora.hub.journal import Journal
    from remora.hub.session import Session

    class Timer(Protocol):
        def cancel(self) -> None: ...


# A client that agreed opens a session of its own for the child: an editor takes about a second, and ten or
# more for one of fifty at once on a busy machine. Counted anew whenever it has attached to one of them.
ATTACH_WAIT_S = 20.0
# Whether a client knows `debugpyAttach` is not known before: until it is, its user waits at the first child.
EVENT_WAIT_S = 4.0
# The same when the session in which the client was told has ended, and it has gone from there.
AFTER_END_S = 5.0

# What a child's configuration takes over from the one its parent's client came with: how it is debugged. Not
# how the parent was started or found, nor what a client does before and after a session (tasks).
INHERITED = (
    "type", "justMyCode", "rules", "redirectOutput", "showReturnValue", "subProcess",
    "maxExceptionStackFrames", "steppingResumesAllThreads", "autoReload", "logToFile",
    "variablePresentation", "breakOnSystemExit",
    "django", "jinja", "flask", "pyramid", "gevent", "guiEventLoop", "timeout",
    "pathMappings", "localRoot", "remoteRoot", "clientOS", "workspaceFolder", "debugOptions",
    "internalConsoleOptions", "presentation",
)  # fmt: skip


class Children:
    """Who waits for whom. All on the loop's thread."""

    def __init__(
        self,
        tree: Tree,
        *,
        later: Callable[[float, Callable[[], None]], Timer],
        address_for: Callable[[Client], tuple[str, int]],
        token: Callable[[], str | None],
        on_given_up: Callable[[], None],
        journal: Journal,
    ) -> None:
        """`address_for` returns where a client dials to attach to a child; OSError if it cannot.

        `on_given_up` is called when one is not waited for any more.
        """
        self._tree = tree
        self._later = later
        self._address_for = address_for
        self._token = token
        self._on_given_up = on_given_up
        self._journal = journal
        self._told: dict[Session, _Told] = {}
        # Held for a client that is still setting up its own session.
        self._early: set[Session] = set()
        # Clients that were told by an event and let it pass: none is held for them any more,
        self._deaf: set[Client] = set()
        # until one of them attaches after all.
        self._passed: dict[Session, Client] = {}

    @property
    def is_waiting(self) -> bool:
        """True while a client that was told of a child may still come."""
        return bool(self._told)

    # What happens to sessions.

    def born(self, session: Session) -> None:
        """A child has said hello: tell somebody, or let it run."""
        teller = self._responsible(session)
        if teller is None:
            session.go()
        elif not teller.is_ready:
            self._early.add(session)
            session.hold_on()
        else:
            self._tell(session, teller)

    def attached(self, session: Session) -> bool:
        """A client attaches to the session; say whether somebody was told of it."""
        self._early.discard(session)
        told = self._told.pop(session, None)
        if told is None:
            passed = self._passed.pop(session, None)
            if passed is not None:
                self._deaf.discard(passed)
            return passed is not None
        told.cancel()
        self._deaf.discard(told.client)
        for other in self._told.values():
            if other.client is told.client:
                self._wait(other)
        return True

    def ready(self, session: Session, *, was_told: bool) -> None:
        """The client of the session is set up: it can hear of children."""
        for child in list(self._early):
            if self._responsible(child) is session:
                self._early.discard(child)
                self._tell(child, session)
        if was_told or session.member is None or not _takes_children(session):
            return
        for member in self._tree.descendants(session.member):
            below = member.session
            if below is not None and below.is_free and below not in self._told:
                self._tell(below, session)

    def left(self, client: Client, *, for_good: bool) -> None:
        """A client is gone from its session: those that were waiting for it wait for another one, or run.

        Not if the session had come to its end (`for_good` is False): then the client only tidies up, and may
        be about to come for a child, in a session of its own.
        """
        self._deaf.discard(client)
        self._passed = {session: one for session, one in self._passed.items() if one is not client}
        waiting = [told for told in self._told.values() if told.client is client]
        if not for_good:
            for told in waiting:
                self._wait(told, AFTER_END_S)
            waiting = []
        for told in waiting:
            told.cancel()
            del self._told[told.session]
        for session in [told.session for told in waiting] + list(self._early):
            self._early.discard(session)
            if session.is_held:
                self.born(session)
        self._on_given_up()

    def ended(self, session: Session) -> None:
        """The process is over."""
        self._early.discard(session)
        self._passed.pop(session, None)
        told = self._told.pop(session, None)
        if told is not None:
            told.cancel()

    # Who is told.

    def _responsible(self, child: Session) -> Session | None:
        """Return the session whose client is to hear of this child."""
        if child.member is None:
            return None
        for member in child.member.ancestors():
            above = member.session
            if above is not None and above.client is not None:
                if not _takes_children(above):
                    return None
                if not above.said_goodbye:
                    return above
        family = self._tree.of_family(child.member.root)
        takers = [each for each in family if each is not child and _takes_children(each)]
        # One that has said its last word (it forks and ends: a daemon) is about to lose its client: better
        # another one, but better that than nobody.
        takers.sort(key=lambda taker: (taker.said_goodbye, not taker.is_ready))
        return takers[0] if takers else None

    def _tell(self, child: Session, teller: Session) -> None:
        client = teller.client
        assert client is not None
        try:
            configuration = self._configuration(child, teller, client)
        except OSError as error:
            self._journal.write(f"no port for the client of process {child.pid}: {error}")
            client.note(f"process {child.pid} cannot be debugged, there is no port to attach to: {error}")
            child.go()
            return
        by_event = not client.takes("startDebugging")
        self._journal.write(f"process {child.pid}: told a client")
        if by_event:
            client.event("debugpyAttach", {**configuration, "request": "attach"})
            if client in self._deaf:
                self._passed[child] = client
                child.go()
                return
        child.hold_on()
        told = self._told[child] = _Told(child, client, by_event=by_event)
        self._wait(told)
        if not by_event:
            client.ask(
                "startDebugging",
                {"request": "attach", "configuration": configuration},
                lambda answer: self._answered(told, answer),
            )

    def _answered(self, told: _Told, answer: dict[str, Any]) -> None:
        if answer.get("success") is not True and self._told.get(told.session) is told:
            self._give_up(told)

    def _wait(self, told: _Told, seconds: float = 0.0) -> None:
        told.cancel()
        seconds = seconds or (EVENT_WAIT_S if told.by_event else ATTACH_WAIT_S)
        told.timer = self._later(seconds, lambda: self._too_late(told))

    def _too_late(self, told: _Told) -> None:
        if self._told.get(told.session) is not told:
            return
        if not told.by_event:
            if told.session.is_held:
                told.client.note(f"process {told.session.pid} runs on: nobody attached to it")
            self._give_up(told)
            return
        self._deaf.add(told.client)
        for other in [other for other in self._told.values() if other.client is told.client]:
            self._passed[other.session] = other.client
            self._give_up(other)

    def _give_up(self, told: _Told) -> None:
        told.cancel()
        del self._told[told.session]
        told.session.go()
        self._on_given_up()

    def _configuration(self, child: Session, teller: Session, client: Client) -> dict[str, Any]:
        host, port = self._address_for(client)
        said = teller.settings
        configuration: dict[str, Any] = {name: said[name] for name in INHERITED if name in said}
        configuration.setdefault("type", client.arguments.get("adapterID") or "remora")
        token = self._token()
        if token is not None:
            configuration["token"] = token
        who = f"{child.pid}"
        if child.interpreter:
            configuration["interpreterId"] = child.interpreter
            who = f"interpreter {child.interpreter} of {child.pid}"
        return {
            **configuration,
            "name": f"{child.name} ({who})",
            "connect": {"host": host, "port": port},
            "subProcessId": child.pid,
        }


class _Told:
    """A child that a client was told of and may still attach to."""

    __slots__ = ("by_event", "client", "session", "timer")

    def __init__(self, session: Session, client: Client, *, by_event: bool) -> None:
        self.session = session
        self.client = client
        self.by_event = by_event
        self.timer: Timer | None = None

    def cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _takes_children(session: Session) -> bool:
    return session.client is not None and session.settings.get("subProcess") is not False


__all__ = ["ATTACH_WAIT_S", "EVENT_WAIT_S", "Children"]
