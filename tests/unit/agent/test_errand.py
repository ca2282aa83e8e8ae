"""Errands that end sooner or later than those who wait for them think."""

from __future__ import annotations

import threading
from typing import Any

from remora.agent.errand import Errand
from remora.agent.loop import Loop
from remora.agent.session import Request, Session
from remora.agent.settings import Settings
from remora.engine import Job


class Answers(Session):
    """A session without a connection."""

    def __init__(self, loop: Loop) -> None:
        self.agent: Any = Parts(loop)
        self._reset()
        self._inbox: Any = []
        self.answers: list[Any] = []

    def respond(self, request: Request, body: dict[str, Any] | None = None) -> None:
        self.answers.append(body)

    def fail(self, request: Request, error: BaseException) -> None:
        self.answers.append(error)


class Parts:
    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.settings = Settings()


def errand(session: Session, work: Any, timeout_s: float | None = None) -> tuple[Errand, Job[Any]]:
    request = Request({"type": "request", "seq": 1, "command": "evaluate"})
    made = Errand(session, request, 1, work, timeout_s=timeout_s, what="x")
    job = made._job = Job(1, made._run, made._done, timeout_s)
    session._errand = made
    return made, job


def test_an_errand_that_is_over_leaves_no_timer() -> None:
    loop = Loop()
    session = Answers(loop)

    def work() -> dict[str, Any]:
        session.limit(5.0)  # on the agent thread the timer is set later
        return {"result": "2"}

    made, job = errand(session, work)
    job.run()
    made._set_timers()
    loop._do_soon()
    loop._until_timer()
    assert session.answers == [{"result": "2"}]
    assert loop._timers == []
    loop.abandon()


def test_what_was_given_up_does_not_limit_the_next_one() -> None:
    loop = Loop()
    session = Answers(loop)
    given_up, go_on = threading.Event(), threading.Event()

    def stubborn() -> dict[str, Any]:
        given_up.set()
        assert go_on.wait(10)
        session.limit(0.001)
        session.has_changed()
        return {}

    first, job = errand(session, stubborn)
    thread = threading.Thread(target=job.run, daemon=True)
    thread.start()
    assert given_up.wait(10)
    first.give_up()
    second, _ = errand(session, dict)
    go_on.set()
    thread.join(10)
    assert not thread.is_alive()
    assert second.timeout_s is None
    assert not second.has_changed
    loop.abandon()
