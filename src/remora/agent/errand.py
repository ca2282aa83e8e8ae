"""An errand: a request whose answer is made on a thread of the program, or beside the program.

* On the stopped thread it concerns, where that thread stands in our callback.
* Else on a thread of our own, started for it: for an expression without a frame while nothing is stopped,
  and for a thread that sits in C and cannot come. The agent thread stays free to hear cancel, pause and
  disconnect.
* One at a time: the session looks at its next request when the errand is over.
* Who does not come back is given up a moment after it was interrupted (it sits in C; it swallows what
  interrupts it): the request is answered and the session goes on, without that thread. What the errand
  brings when it ends after all is dropped.
* Whoever takes the one item out of `_turn` answers; `list.pop` is atomic.
"""

from __future__ import annotations

import _thread

from remora.dap.errors import BUSY, CANCELLED, STUCK, TIMED_OUT

# Kept: gevent puts others into the module.
_allocate_lock = _thread.allocate_lock
_get_ident = _thread.get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from remora.agent.loop import Timer
    from remora.agent.session import Request, Session
    from remora.engine import Job

# Thread id of what no thread of the program has made.
NOBODY = 0
# From being interrupted to being given up: a switch of threads takes 5 ms, the text that is made of the
# rest of a page less than the second it may take.
GRACE_S = 1.5


class Errand:
    """Work for one request. Made and started on the agent thread."""

    __slots__ = (
        "_job",
        "_known",
        "_session",
        "_timers",
        "_turn",
        "_work",
        "_worker",
        "cancelled",
        "has_changed",
        "request",
        "thread_id",
        "timeout_s",
        "what",
    )

    def __init__(
        self,
        session: Session,
        request: Request,
        thread_id: int,
        work: Callable[[], dict[str, Any]],
        *,
        timeout_s: float | None,
        what: str,
    ) -> None:
        """`thread_id` NOBODY: on any stopped thread, beside the program if there is none."""
        self.request = request
        self.thread_id = thread_id
        self.what = what
        self.timeout_s = timeout_s
        self.cancelled = False
        self.has_changed = False  # the program's values: what the client shows of them is out of date
        self._session = session
        self._work = work
        self._worker = 0  # ident of the thread that does it, once it is begun
        self._job: Job[dict[str, Any]] | None = None
        self._known = _allocate_lock()  # held until `_job` is set
        self._turn = [None]
        self._timers: list[Timer] = []

    def start(self) -> None:
        """Begin. Raises what refuses it: BUSY, the engine's NotStopped and LookupError."""
        from remora.engine import Job, ThreadState

        agent = self._session.agent
        states = {thread.id: thread.state for thread in agent.engine.threads()}
        if self.thread_id == NOBODY:
            stopped = (number for number, state in states.items() if state is ThreadState.STOPPED)
            self.thread_id = next(stopped, NOBODY)
        beside = self.thread_id == NOBODY or states.get(self.thread_id) is ThreadState.BLOCKED
        if beside and self.timeout_s is None:
            self.timeout_s = agent.settings.watch_timeout_s
        stuck = self._session.stuck.get(self.thread_id)
        if stuck is not None and not beside:
            raise BUSY(thread=self.thread_id, what=stuck.what)
        self._known.acquire()
        try:
            if beside:
                self._job = Job(self.thread_id, self._run, self._done, self.timeout_s)
                self._start_beside(self._job)
            else:
                self._job = agent.engine.submit(
                    self.thread_id, self._run, self._done, timeout_s=self.timeout_s
                )
        finally:
            self._known.release()
        self._set_timers()

    def _run(self) -> dict[str, Any]:
        self._worker = _get_ident()
        return self._work()

    def is_on_its_thread(self) -> bool:
        """Say whether the caller is this errand's work, and not that of one that was given up before it."""
        return self._worker == _get_ident()

    def _start_beside(self, job: Job[dict[str, Any]]) -> None:
        from remora.engine import background

        engine = self._session.agent.engine
        ours = _allocate_lock()
        ours.acquire()

        def run() -> None:
            ident = _get_ident()
            engine.own_thread(ident)
            ours.release()
            try:
                job.run()
            finally:
                engine.own_thread(ident, False)

        background.start(run)
        ours.acquire()  # whoever lists or stops the threads from now on knows that this one is ours

    def _set_timers(self) -> None:
        if self.timeout_s is not None:
            self._after(self.timeout_s + GRACE_S, self.give_up)
            return
        warn_s = self._session.agent.settings.evaluate_warning_s
        if warn_s is not None:
            self._after(warn_s, lambda: self._warn(warn_s))

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call later, unless the answer is out by then; it may be out already. On the agent thread."""
        timer = self._session.agent.loop.after(seconds, call)
        self._timers.append(timer)
        if not self._turn:
            timer.cancel()

    def limit(self, seconds: float | None) -> None:
        """Let the rest of the work take so long. On the thread that does it."""
        if seconds is None or self.timeout_s is not None:
            return
        from remora.engine.jobs import watcher

        with self._known:
            job = self._job
        assert job is not None
        self.timeout_s = seconds
        watcher.watch(job, seconds)
        self._session.agent.loop.soon(lambda: self._after(seconds + GRACE_S, self.give_up))

    def cancel(self) -> None:
        """Interrupt it; the answer comes soon, whether or not it lets itself be. On the agent thread."""
        self.cancelled = True
        if self._job is not None:
            self._job.cancel()
        self._after(GRACE_S, self.give_up)

    def leave(self) -> None:
        """Answer at once, and interrupt it: the session ends. Any thread."""
        self.cancelled = True
        if self._take_turn():
            self._session.fail(self.request, CANCELLED())
            self._session.errand_over(self, given_up=False)
        if self._job is not None:
            self._job.cancel()

    def give_up(self) -> None:
        """Answer in its place, and let the session go on. On the agent thread."""
        if self._take_turn():
            self._session.fail(self.request, STUCK(what=self.what))
            self._session.errand_over(self, given_up=True)

    def _done(self, job: Job[dict[str, Any]]) -> None:
        """Answer with what the work has brought. On the thread that did it."""
        session = self._session
        if not self._take_turn():
            session.agent.loop.soon(lambda: session.errand_back(self))
            return
        error = job.error
        try:
            if error is None:
                session.respond(self.request, job.result)
            else:
                session.fail(self.request, self._translate(error))
            if self.has_changed and session.client.get("supportsInvalidatedEvent") is True:
                session.event("invalidated", {"areas": ["variables"]})
        finally:  # a signal handler of the program may raise anywhere in here
            session.errand_over(self, given_up=False)

    def _take_turn(self) -> bool:
        try:
            self._turn.pop()
        except IndexError:
            return False
        for timer in self._timers:
            timer.cancel()
        return True

    def _translate(self, error: BaseException) -> BaseException:
        from remora.engine.jobs import Interrupted

        if isinstance(error, Interrupted):
            if self.cancelled or self.timeout_s is None:
                return CANCELLED()
            return TIMED_OUT(what=self.what, seconds=f"{self.timeout_s:g}")
        return error

    def _warn(self, seconds: float) -> None:
        if self._turn:
            self._session.say(
                f"remora: '{self.what}' has been running for {seconds:g} s; it can be cancelled\n"
            )
