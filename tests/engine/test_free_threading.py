"""What must hold whatever threads do at the same time, hammered.

With an interpreter lock threads change places at almost every chance here (a switch interval of a
microsecond); on a free-threaded build they run at the same time, and the same tests say more.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from remora.agent.loop import Loop
from remora.engine import Job, Wish, background, monitoring
from remora.engine.arming import _count_safely
from remora.engine.breakpoints import Breakpoint
from remora.engine.exceptions import ExceptionFilter
from remora.engine.threads import Threads

LIMIT_S = 20.0
SECONDS = 0.8


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    before, errors = sys.getswitchinterval(), monitoring.errors.count
    sys.setswitchinterval(1e-6)
    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    sys.setswitchinterval(before)
    assert monitoring.errors.count == errors, repr(monitoring.errors.last)


def at_once(*works: Callable[[], object]) -> None:
    """Run all of them at the same time, to their ends; raise what one of them raised."""
    begin = threading.Barrier(len(works))
    errors: queue.Queue[BaseException] = queue.Queue()

    def run(work: Callable[[], object]) -> None:
        begin.wait(LIMIT_S)
        try:
            work()
        except BaseException as error:
            errors.put(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive(), "it hangs"
    if not errors.empty():
        raise errors.get()


def for_a_while(work: Callable[[], object], end: float) -> Callable[[], None]:
    def run() -> None:
        while time.monotonic() < end:
            work()

    return run


# --- the engine in a program of many threads

CROWD = """
    import threading
    go_on = True
    total = 0
    def many(rounds):
        for i in range(rounds):
            touch(i)
    def touch(i):
        return i  # @touch
    def made():
        space = {}
        exec(compile("def f(x):\\n    return x + 1\\n", __file__ + ".made", "exec"), space)
        return space["f"](1)
    def churn():
        while go_on:
            made()
            thread = threading.Thread(target=touch, args=(1,))
            thread.start()
            thread.join()
    def crowd(count, rounds):
        threads = [threading.Thread(target=many, args=(rounds,)) for _ in range(count)]
        for t in threads: t.start()
        for t in threads: t.join()
    def busy(count):
        threads = [threading.Thread(target=churn) for _ in range(count)]
        for t in threads: t.start()
        for t in threads: t.join()
"""


def test_every_hit_counts(debug: Any) -> None:
    program = debug.program(CROWD)
    program.load()
    (breakpoint,) = program.breakpoints(("touch", {"hit_condition": "> 1000000"}))
    program.start("crowd(8, 500)")
    program.finish()
    assert breakpoint.hits == 8 * 500


def test_every_hit_counts_without_an_interpreter_lock(debug: Any) -> None:
    breakpoint = Breakpoint(1, "/program.py", Wish(1))
    seen: list[int] = []
    at_once(*[lambda: seen.extend(_count_safely(breakpoint) for _ in range(2000))] * 8)
    assert breakpoint.hits == 16_000
    assert sorted(seen) == list(range(1, 16_001))


def test_every_log_message_is_told(debug: Any) -> None:
    program = debug.program(CROWD)
    program.load()
    program.breakpoints(("touch", {"log_message": "{i}"}))
    program.start("crowd(6, 200)")
    program.finish()
    assert sorted(int(text) for _, text, _ in debug.recorder.logs) == sorted(list(range(200)) * 6)


def test_breakpoints_come_and_go_under_a_crowd(debug: Any) -> None:
    program = debug.program(CROWD)
    program.load()
    program.start("busy(4)")
    never = ("touch", {"condition": "i == -1"})
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        program.breakpoints(never)
        debug.engine.set_breakpoints(str(program.path) + ".made", [Wish(2, condition="x == -1")])
        debug.engine.set_exception_filters([ExceptionFilter("raised", "exc is None")])
        debug.engine.threads()
        program.breakpoints()
        debug.engine.set_breakpoints(str(program.path) + ".made", [])
        debug.engine.set_exception_filters([])
    # After all that the next one stops.
    program.breakpoints("touch")
    debug.stop_at("touch")
    program.breakpoints()
    program.namespace["go_on"] = False
    debug.engine.resume()
    while program.thread.is_alive():
        try:  # threads that were at the line already
            debug.recorder.stops.get(timeout=0.05)
            debug.engine.resume()
        except queue.Empty:
            continue
    program.finish()


def test_pauses_one_after_another(debug: Any) -> None:
    program = debug.program(CROWD)
    program.load()
    program.start("busy(4)")
    end = time.monotonic() + SECONDS
    rounds = 0
    while time.monotonic() < end or rounds < 5:
        main = debug.engine.threads()[-1].id
        try:
            debug.engine.pause(main)
        except LookupError:
            continue  # it has ended
        debug.stopped()
        for thread in debug.engine.threads():
            try:
                debug.engine.stack(thread.id)
            except LookupError:
                continue
        debug.engine.resume()
        rounds += 1
    program.namespace["go_on"] = False
    program.finish()
    debug.no_more_stops()


def test_attached_and_detached_from_many_threads(debug: Any) -> None:
    program = debug.program(CROWD)
    program.load()
    program.start("busy(3)")
    engine = debug.engine
    end = time.monotonic() + SECONDS

    def come() -> None:
        try:
            engine.attach()
        except (RuntimeError, ValueError) as error:
            assert "tool" in str(error)  # the other has taken them, or is about to give them back
        else:
            program.breakpoints(("touch", {"condition": "i == -1"}))

    lock = threading.Lock()  # attach() is the agent thread's alone; detach() is not

    def come_alone() -> None:
        with lock:
            come()

    at_once(for_a_while(come_alone, end), *[for_a_while(engine.detach, end)] * 3)
    engine.detach()
    assert [sys.monitoring.get_tool(number) for number in range(6)].count(monitoring.NAME) == 0
    engine.attach()
    program.breakpoints("touch")
    debug.stop_at("touch")
    engine.detach()
    program.namespace["go_on"] = False
    program.finish()


# --- parts


def test_no_thread_gets_two_ids_and_no_id_two_threads() -> None:
    threads = Threads()
    idents = range(1000, 3000)
    given: list[dict[int, int]] = []
    at_once(*[lambda: given.append({ident: threads.id_of(ident) for ident in idents})] * 6)
    assert all(each == given[0] for each in given)
    assert len(set(given[0].values())) == len(idents)


def test_what_is_handed_to_the_loop_is_done_once_and_in_order() -> None:
    """No wake-up is lost: each caller waits for its last call before it goes on."""
    loop = Loop()
    loop.start()
    done: list[tuple[int, int]] = []
    numbers = iter(range(100))

    def caller() -> None:
        me = next(numbers)
        for round in range(300):
            arrived = threading.Event()
            loop.soon(lambda round=round: done.append((me, round)))
            loop.soon(arrived.set)
            assert arrived.wait(LIMIT_S), "a wake-up was lost"

    at_once(*[caller] * 6)
    loop.stop()
    for me in range(6):
        assert [round for who, round in done if who == me] == list(range(300))


def test_jobs_that_run_out_of_time_and_those_that_do_not() -> None:
    """Each is told once, and an interruption never lands outside the work."""
    told: list[bool] = []

    def spin() -> int:
        total = 0
        for number in range(400):
            total += number
        return total

    def worker() -> None:
        for round in range(60):
            job: Job[int] = Job(1, spin, lambda job: told.append(job.error is None), (0.0001, 5.0)[round % 2])
            job.run()

    def ender() -> None:
        for _ in range(200):
            background.end()

    at_once(*[worker] * 6, ender)
    assert len(told) == 6 * 60
    has_ended()


def test_threads_of_ours_are_known_until_they_are_no_more() -> None:
    gates = [threading.Lock() for _ in range(20)]
    for gate in gates:
        gate.acquire()
    begun = threading.Semaphore(0)

    def wait(gate: Any) -> None:
        begun.release()
        gate.acquire()

    for gate in gates:
        background.start(lambda gate=gate: wait(gate))
    for _ in gates:
        assert begun.acquire(timeout=LIMIT_S)
    assert background.are_left()
    for gate in gates:
        gate.release()
    has_ended()


def has_ended() -> None:
    """All our threads end when they are told to, those of the tests before too."""
    background.end()
    deadline = time.monotonic() + LIMIT_S
    while background.are_left():
        assert time.monotonic() < deadline
        os.sched_yield()
