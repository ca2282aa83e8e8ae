"""Stopping all threads, parking, pausing, jobs, threads."""

from __future__ import annotations

import _thread
import contextlib
import os
import queue
import socket
import sys
import threading
import time
from typing import Any

import pytest

from remora.engine import Interrupted, Rule, StepKind, StopReason, ThreadState, arming, jobs
from remora.engine.engine import NotStopped

BUSY = """
    import threading
    counts = [0, 0, 0, 0]
    go_on = True
    def work(i):
        while go_on:
            counts[i] += 1
    threads = [threading.Thread(target=work, args=(i,), name=f"busy {i}", daemon=True) for i in range(4)]
    for t in threads: t.start()
    x = 1  # @here
    go_on = False
    for t in threads: t.join()
"""


def until(condition: Any, what: str = "the condition") -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        time.sleep(0.001)


def states(debug: Any) -> dict[str, ThreadState]:
    return {thread.name: thread.state for thread in debug.engine.threads()}


def test_all_threads_stop_and_go_on(debug: Any) -> None:
    program = debug.program(BUSY)
    program.breakpoints("here")
    program.start(name="main one")
    debug.stop_at("here")
    until(lambda: set(states(debug).values()) == {ThreadState.STOPPED}, "all stopped")
    before = list(program["counts"])
    until(lambda: True)
    assert len(debug.engine.threads()) == 5
    assert program["counts"] == before
    for thread in debug.engine.threads():
        entries, total = debug.engine.stack(thread.id)
        assert total == len(entries) > 0
    debug.engine.resume()
    program.finish()
    assert monitoring_is_quiet(debug)


def monitoring_is_quiet(debug: Any) -> bool:
    return sys.monitoring.get_events(debug.engine._follower_tool.id) == 0


def test_pause_of_a_busy_one_line_loop(debug: Any) -> None:
    program = debug.program("""
        def spin():
            while go_on: pass
        go_on = True
        ready.set()
        spin()
    """)
    program.namespace["ready"] = threading.Event()
    program.start(name="spinner")
    program["ready"].wait(10)
    [thread] = debug.engine.threads()
    begun = time.perf_counter()
    debug.engine.pause(thread.id)
    stop = debug.stopped()
    took_s = time.perf_counter() - begun
    assert stop.reason is StopReason.PAUSE
    assert debug.engine.stack(stop.thread_id)[0][0].frame.f_code.co_name == "spin"
    assert took_s < 0.1
    program.namespace["go_on"] = False
    debug.engine.resume()
    program.finish()


def test_no_pause_is_lost_whatever_it_meets(debug: Any) -> None:
    """One that comes right behind a resume, a step, another pause, or while a slow condition is asked."""
    program = debug.program(
        """
        import threading
        done = False
        counts = [0, 0, 0]
        def slow():
            return sum(range(20_000)) < 0
        def numbers():
            while not done:
                yield 1
        def lines():
            while not done:
                counts[0] += 1
                counts[0] += 0  # @here
        def one_line():
            while not done: counts[1] += 1
        def generator():
            for number in numbers():
                counts[2] += number
        loops = (lines, one_line, generator)
        threads = [threading.Thread(target=f, name=f.__name__, daemon=True) for f in loops]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )
    program.start()
    until(lambda: len(debug.engine.threads()) == 4 and all(program["counts"]), "all run")
    ids = [thread.id for thread in debug.engine.threads()]
    names = ("lines", "one_line", "generator")  # the fourth waits for them, in C

    def everybody_stands() -> None:
        debug.stopped()
        until(lambda: all(states(debug)[name] is ThreadState.STOPPED for name in names), "all stopped")
        before = list(program["counts"])
        time.sleep(0.002)  # whoever could run would have its turn now
        assert program["counts"] == before
        while not debug.recorder.stops.empty():  # that of the step, if it came first
            debug.recorder.stops.get()

    for number in range(16):
        program.breakpoints(*[("here", {"condition": "slow()"})] * (number // 4 % 2))
        debug.engine.pause(ids[number % 4])
        if number % 3 == 0:
            debug.engine.pause(ids[-1])
        everybody_stands()
        if number % 2:
            debug.engine.step(ids[1 + number % 3], (StepKind.OVER, StepKind.IN)[number // 2 % 2])
            debug.engine.pause(ids[1])
            everybody_stands()
        debug.engine.resume()
    program.namespace["done"] = True
    program.finish()


def test_pause_of_a_thread_blocked_in_c(debug: Any) -> None:
    reader, writer = socket.socketpair()
    program = debug.program("""
        def wait():
            data = reader.recv(1)  # @blocked
            x = data  # @after
            y = data
        wait()
    """)
    program.namespace["reader"] = reader
    program.start(name="blocked")
    until(lambda: any(t.name == "blocked" for t in debug.engine.threads()))
    [thread] = debug.engine.threads()
    until(lambda: debug.at_of(thread.id) == "blocked")
    begun = time.perf_counter()
    debug.engine.pause(thread.id)
    stop = debug.stop_at("blocked")
    assert time.perf_counter() - begun < 0.2
    assert stop.reason is StopReason.PAUSE
    assert states(debug) == {"blocked": ThreadState.BLOCKED}
    assert debug.engine.stop_of(thread.id) is stop
    seen = []
    debug.engine.submit(thread.id, lambda: seen.append(_thread.get_ident()), lambda job: None, timeout_s=5)
    assert seen == [_thread.get_ident()], "on the caller's thread"
    writer.send(b"x")
    until(lambda: states(debug) == {"blocked": ThreadState.STOPPED}, "it parks when it comes back")
    assert debug.at(stop) == "after"
    debug.no_more_stops()
    debug.engine.resume()
    program.finish()
    reader.close()
    writer.close()


def test_step_of_a_thread_that_was_paused_in_c(debug: Any) -> None:
    reader, writer = socket.socketpair()
    program = debug.program("""
        def wait():
            data = reader.recv(1)  # @blocked
            x = data  # @after
        wait()
    """)
    program.namespace["reader"] = reader
    program.start(name="blocked")
    until(lambda: [t.name for t in debug.engine.threads()] == ["blocked"])
    [thread] = debug.engine.threads()
    until(lambda: debug.at_of(thread.id) == "blocked")
    debug.engine.pause(thread.id)
    debug.stopped()
    debug.engine.step(thread.id, StepKind.OVER)
    writer.send(b"x")
    assert debug.stop_at("after").reason is StopReason.STEP
    debug.engine.resume()
    program.finish()
    reader.close()
    writer.close()


def test_two_threads_at_one_breakpoint_lose_no_stop(debug: Any) -> None:
    program = debug.program("""
        import threading
        def work(i):
            x = i  # @here
            y = i
        def main(n):
            threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
            for t in threads: t.start()
            for t in threads: t.join()
    """)
    program.load()
    for _ in range(5):
        [point] = program.breakpoints()[:0] or program.breakpoints("here")
        hits = point.hits
        program.start("main(6)")
        seen = set()
        while len(seen) < 6:
            stop = debug.stopped()
            assert stop.reason is StopReason.BREAKPOINT
            seen.add(stop.thread_id)
            if debug.recorder.stops.empty():
                debug.engine.resume()
        until(lambda: not program.thread.is_alive() or debug.engine.resume() or False, "the end")
        program.finish()
        assert point.hits == hits + 6
        program.breakpoints()
    debug.no_more_stops()


def test_resume_one_thread_while_the_others_stand(debug: Any) -> None:
    program = debug.program(BUSY)
    program.breakpoints("here")
    program.start(name="main one")
    stop = debug.stop_at("here")
    until(lambda: set(states(debug).values()) == {ThreadState.STOPPED})
    one = next(t for t in debug.engine.threads() if t.name == "busy 2")
    before = list(program["counts"])
    debug.engine.resume(one.id)
    until(lambda: program["counts"][2] > before[2])
    after = program["counts"]
    assert [after[i] for i in (0, 1, 3)] == [before[i] for i in (0, 1, 3)]
    assert states(debug)["busy 2"] is ThreadState.RUNNING
    assert ("resumed", one.id) in debug.recorder.all
    debug.engine.pause(one.id)
    again = debug.stopped()
    assert (again.thread_id, again.reason) == (one.id, StopReason.PAUSE)
    assert states(debug)["busy 2"] is ThreadState.STOPPED
    assert debug.engine.stop_of(stop.thread_id) is stop
    debug.engine.resume()
    program.finish()


def test_jobs_run_on_the_stopped_thread(debug: Any) -> None:
    program = debug.program("""
        import contextvars, threading
        var = contextvars.ContextVar("var")
        var.set("mine")
        local = threading.local()
        local.x = 5
        y = 1  # @here
    """)
    program.breakpoints("here")
    program.start()
    stop = debug.stop_at("here")
    assert debug.evaluate(stop, "(var.get(), local.x)") == ("mine", 5)
    with pytest.raises(ZeroDivisionError):
        debug.evaluate(stop, "1 / 0")
    with pytest.raises(SystemExit):
        debug.do(stop, lambda: exec("raise SystemExit(3)"))
    debug.engine.resume()
    program.finish()
    with pytest.raises((NotStopped, LookupError)):
        debug.engine.submit(stop.thread_id, lambda: 1, lambda job: None, timeout_s=None)


def test_breakpoints_do_not_stop_inside_jobs(debug: Any) -> None:
    program = debug.program("""
        def f():
            return 7  # @inside
        x = 1  # @here
    """)
    program.breakpoints("here", "inside")
    program.start()
    stop = debug.stop_at("here")
    assert debug.evaluate(stop, "f()") == 7
    debug.no_more_stops()
    debug.engine.resume()
    program.finish()


def test_endless_job_is_interrupted(debug: Any) -> None:
    program = debug.program("x = 1  # @here\ny = 2\n")
    program.breakpoints("here")
    program.start()
    stop = debug.stop_at("here")

    def forever() -> None:
        while True:
            pass

    assert isinstance(debug.job(stop, forever, 0.05).error, Interrupted)
    assert debug.evaluate(stop, "x if False else 1") == 1
    finished: queue.Queue[Any] = queue.Queue()
    job = debug.engine.submit(stop.thread_id, forever, finished.put, timeout_s=None)
    until(lambda: job._token)
    job.cancel()
    assert isinstance(finished.get(timeout=10).error, Interrupted)
    blocked = debug.engine.submit(stop.thread_id, forever, finished.put, timeout_s=None)
    queued = debug.engine.submit(stop.thread_id, lambda: 1, finished.put, timeout_s=None)
    queued.cancel()
    blocked.cancel()
    assert {finished.get(timeout=10), finished.get(timeout=10)} == {blocked, queued}
    assert isinstance(queued.error, Interrupted)
    debug.engine.resume()
    program.finish()


def test_interrupts_never_land_outside_the_work(debug: Any) -> None:
    """Work that ends just when its time is up: the program must not see the interruption."""
    program = debug.program("""
        n = 0
        for i in range(3):
            n += 1  # @here
    """)
    program.breakpoints("here")
    program.start()
    for _ in range(3):
        stop = debug.stop_at("here")
        for round_ in range(60):
            until_s = time.monotonic() + 0.002 + round_ % 5 * 0.0002

            def work(until_s: float = until_s) -> None:
                while time.monotonic() < until_s:
                    pass

            job = debug.job(stop, work, 0.0025)
            assert job.error is None or isinstance(job.error, Interrupted)
        debug.engine.resume()
    program.finish()
    assert program["n"] == 3


def test_work_that_swallows_the_interruption(debug: Any) -> None:
    program = debug.program("x = 1  # @here\ny = 2\n")
    program.breakpoints("here")
    program.start()
    stop = debug.stop_at("here")

    def stubborn() -> str:
        try:
            while True:
                pass
        except BaseException:
            return "swallowed"

    assert debug.job(stop, stubborn, 0.02).result == "swallowed"
    assert debug.evaluate(stop, "1 + 1") == 2
    debug.engine.resume()
    program.finish()


def test_thread_events_names_and_ids(debug: Any) -> None:
    program = debug.program("""
        import threading
        def work():
            x = 1  # @here
        for name in ("one", "two"):
            t = threading.Thread(target=work, name=name)
            t.start(); t.join()
    """)
    program.breakpoints("here")
    program.start(name="starter")
    first = debug.stop_at("here")
    assert {"one", "starter"} == {t.name for t in debug.engine.threads()}
    debug.engine.resume()
    second = debug.stop_at("here")
    assert second.thread_id > first.thread_id, "an id is never used again"
    debug.engine.resume()
    program.finish()
    until(lambda: len(debug.recorder.of("thread_exited")) == 3)
    started = {name: number for number, name in debug.recorder.of("thread_started")}
    assert started["one"] == first.thread_id
    assert started["two"] == second.thread_id
    assert sorted(debug.recorder.of("thread_exited")) == sorted(debug.recorder.of("thread_started"))


def test_raw_threads_are_listed(debug: Any) -> None:
    program = debug.program("""
        import _thread
        def raw():
            x = 1  # @here
            done.release()
        done = _thread.allocate_lock()
        done.acquire()
        _thread.start_new_thread(raw, ())
        done.acquire()
    """)
    program.breakpoints("here")
    program.start()
    stop = debug.stop_at("here")
    info = next(t for t in debug.engine.threads() if t.id == stop.thread_id)
    assert info.name.startswith("Thread")
    debug.engine.resume()
    program.finish()


def test_many_waiting_threads(debug: Any) -> None:
    program = debug.program("""
        import threading
        event = threading.Event()
        def work():
            event.wait()
        threads = [threading.Thread(target=work) for _ in range(200)]
        for t in threads: t.start()
        x = 1  # @here
        event.set()
        for t in threads: t.join()
    """)
    program.breakpoints("here")
    program.start()
    debug.stop_at("here")
    begun = time.perf_counter()
    threads = debug.engine.threads()
    assert len(threads) == 201
    for thread in threads:
        entries, _ = debug.engine.stack(thread.id)
        assert entries
    assert time.perf_counter() - begun < 1.0
    debug.engine.resume()
    program.finish()


def test_blocked_threads_come_back_and_park(debug: Any) -> None:
    program = debug.program("""
        import threading
        event = threading.Event()
        after = []
        def work():
            event.wait()
            after.append(1)
        t = threading.Thread(target=work, name="waiter")
        t.start()
        x = 1  # @here
        t.join()
    """)
    program.breakpoints("here")
    program.start()
    stop = debug.stop_at("here")
    until(lambda: states(debug)["waiter"] is ThreadState.BLOCKED)
    debug.do(stop, lambda: time.sleep(0.05))  # let the sweep settle
    debug.do(stop, program["event"].set)
    until(lambda: states(debug)["waiter"] is ThreadState.STOPPED)
    assert program["after"] == []
    debug.engine.resume()
    program.finish()
    assert program["after"] == [1]


def test_finalizer_inside_a_call_into_the_engine_does_not_park_with_its_lock(debug: Any) -> None:
    """`breakpoint()` takes the lock in the program's own thread; a finalizer may run there, and hit one."""
    program = debug.program("""
        def finalize():
            ran.append(1)  # @inside

        def work():
            stop_me()  # @call
            done = 1
            return done
        """)
    program.namespace["ran"] = []
    program.load()
    program.breakpoints("inside")
    program.namespace["stop_me"] = lambda: debug.engine.break_here(sys._getframe(1))
    land = debug.engine._stepping._land_in

    def land_and_collect(*arguments: Any) -> None:
        program["finalize"]()
        land(*arguments)

    debug.engine._stepping._land_in = land_and_collect
    program.start("work()")
    debug.stop_at("call")
    assert program["ran"] == [1]
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_break_here(debug: Any) -> None:
    import sys

    program = debug.program("""
        def f():
            x = 1
            stop_me()  # @call
            return x  # @next
        f()
    """)
    program.namespace["stop_me"] = lambda: debug.engine.break_here(sys._getframe(1))
    program.start()
    stop = debug.stop_at("call")
    assert stop.reason is StopReason.BREAKPOINT
    assert debug.evaluate(stop, "x") == 1
    assert debug.step(stop, StepKind.OVER) == "next"
    debug.engine.resume()
    program.finish()


def test_stop_on_entry(debug: Any) -> None:
    program = debug.program("""
        import os  # @first
        x = 1  # @second
    """)
    code = compile(program.source, str(program.path), "exec")
    debug.engine.stop_on_entry(code)
    program.namespace["code"] = code
    program.start("exec(code, globals())")
    stop = debug.stop_at("first")
    assert stop.reason is StopReason.ENTRY
    assert debug.step(stop, StepKind.OVER) == "second"
    debug.engine.resume()
    program.finish()


def test_debugger_id_taken_by_another(debug: Any) -> None:
    import sys

    debug.engine.detach()
    sys.monitoring.use_tool_id(0, "another")
    try:
        warning = debug.engine.attach()
        assert "another" in warning
        program = debug.program("x = 1  # @here\ny = 2  # @next\n")
        program.breakpoints("here")
        program.start()
        stop = debug.stop_at("here")
        assert debug.step(stop, StepKind.OVER) == "next"
        debug.engine.resume()
        program.finish()
    finally:
        sys.monitoring.free_tool_id(0)


def test_no_tool_id_left(debug: Any) -> None:
    import sys

    debug.engine.detach()
    taken = [number for number in range(5) if sys.monitoring.get_tool(number) is None]
    for number in taken:
        sys.monitoring.use_tool_id(number, f"tool {number}")
    try:
        with pytest.raises(RuntimeError, match="tool 0"):
            debug.engine.attach()
        assert not debug.engine.attached
        assert sys.monitoring.get_tool(5) is None
    finally:
        for number in taken:
            sys.monitoring.free_tool_id(number)
    assert debug.engine.attach() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork_while_attached_and_while_stopped(debug: Any) -> None:
    program = debug.program("""
        import os
        def child():
            x = 1  # @inside
            os._exit(7)
        def fork():
            pid = os.fork()
            if not pid:
                child()
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        def main():
            y = fork()  # @here
            return y
    """)
    program.load()
    program.breakpoints("inside", "here")
    program.start("status = main()")
    stop = debug.stop_at("here")
    assert debug.evaluate(stop, "fork()") == 7, "a child forked by a job"
    debug.engine.resume()
    program.finish()
    assert program["status"] == 7
    debug.no_more_stops()


def test_a_stop_while_all_are_resumed_is_told_after_the_resumption(debug: Any) -> None:
    """The listener forgets at a resumption what it knew of stops: this one must not be among that."""
    program = debug.program("""
        import threading
        go, entered = threading.Event(), threading.Event()

        def other():
            entered.set()
            go.wait(10)
            x = 1  # @other
            return x

        def main():
            thread = threading.Thread(target=other)
            thread.start()
            entered.wait(10)
            y = 1  # @main
            thread.join()
        """)
    program.load()
    program.breakpoints("other", "main")
    program.start("main()")
    first = debug.stop_at("main")
    told = debug.recorder.resumed
    waited: list[bool] = []
    # The other thread is let go alone, and stops again in the middle of the resumption of all.
    (number,) = [each.id for each in debug.engine.threads() if each.id not in (first.thread_id, 1)]
    debug.engine.resume(number)

    def resumed(thread_id: int | None) -> None:
        if not waited:
            program["go"].set()
            until(lambda: debug.engine._world.parked.get(debug.engine._threads.ident_of(number)) is not None)
            waited.append(True)
        told(thread_id)

    debug.recorder.resumed = resumed
    debug.engine.resume()
    second = debug.stop_at("other")
    assert second.thread_id == number
    kinds = [(kind, value) for kind, value in debug.recorder.all if kind in ("stopped", "resumed")]
    assert kinds[-2:] == [("resumed", None), ("stopped", second)]
    debug.no_more_stops()
    assert debug.engine.stop_of(first.thread_id) is not None, "nobody has answered the second stop"
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_a_paused_thread_comes_back_from_c_while_all_are_resumed(debug: Any) -> None:
    reader, writer = socket.socketpair()
    program = debug.program("""
        def wait():
            data = reader.recv(1)  # @blocked
            x = data
        wait()
    """)
    program.namespace["reader"] = reader
    program.start(name="blocked")
    until(lambda: [t.name for t in debug.engine.threads()] == ["blocked"])
    [thread] = debug.engine.threads()
    until(lambda: debug.at_of(thread.id) == "blocked")
    debug.engine.pause(thread.id)
    debug.stop_at("blocked")

    def resumed(thread_id: int | None) -> None:
        writer.send(b"x")
        until(lambda: states(debug) == {"blocked": ThreadState.STOPPED}, "it parks")

    debug.recorder.resumed = resumed
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()
    reader.close()
    writer.close()


def test_an_interruption_by_two_at_once_lands_inside_the_work(monkeypatch: Any) -> None:
    """The second one finds the token gone; the job must still wait for what the first one sends."""
    sending, send_now, end_work, end_thread = (threading.Event() for _ in range(4))
    send = jobs._send
    strays: list[BaseException] = []

    def slowly(ident: int, exception: type[BaseException] | None) -> None:
        if exception is not None:
            sending.set()
            assert send_now.wait(10)
        send(ident, exception)

    monkeypatch.setattr(jobs, "_send", slowly)
    finished: list[Any] = []
    job = jobs.Job(1, lambda: end_work.wait(10), finished.append, None)

    def run() -> None:
        try:
            job.run()
            while not end_thread.is_set():
                time.sleep(0.001)
        except Interrupted as error:
            strays.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    until(lambda: job._token, "the work begins")
    first = threading.Thread(target=job.cancel, daemon=True)
    first.start()
    assert sending.wait(10)
    job.cancel()
    end_work.set()
    until(lambda: finished or top_function(worker) == "_settle", "the work is over")
    assert not finished, "the interruption is still under way"
    send_now.set()
    first.join(10)
    until(lambda: finished, "the job is done")
    end_thread.set()
    worker.join(10)
    assert not strays


def top_function(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return frame.f_code.co_name if frame is not None else ""


def test_stop_on_entry_makes_a_program_known_by_its_path_user_code(debug: Any) -> None:
    program = debug.program("x = 1  # @one", path="site-packages/tool/__main__.py")
    [breakpoint] = program.breakpoints("one")
    assert breakpoint.line == program.line("one")
    code = compile(program.source, str(program.path), "exec")
    debug.engine.stop_on_entry(code)
    assert debug.engine.is_user_code(code)
    debug.user_code(rules=[Rule(False, path=str(program.path))])
    assert not debug.engine.is_user_code(code)


def test_a_signal_just_before_a_job_costs_neither_the_job_nor_the_signal(debug: Any) -> None:
    program = debug.program("""
        try:
            x = 1  # @here
            y = 2
        except KeyboardInterrupt:
            struck = True
    """)
    program.breakpoints("here")
    program.start()
    stop = debug.stop_at("here")
    finished: queue.Queue[Any] = queue.Queue()

    class Struck(jobs.Job[int]):
        strikes = 1

        def run(self) -> None:
            if self.strikes:
                self.strikes = 0
                raise KeyboardInterrupt  # as a handler does, between any two bytecodes
            super().run()

    parked = debug.engine._world.parked[debug.engine._threads.ident_of(stop.thread_id)]
    parked.jobs.append(Struck(stop.thread_id, lambda: 7, finished.put, None))
    parked.rouse()
    assert finished.get(timeout=10).result == 7
    debug.engine.resume()
    program.finish()
    assert program["struck"]


def test_what_waits_when_a_thread_is_let_go_is_called_off(debug: Any) -> None:
    program = debug.program("""
        x = 1  # @one
        y = 2  # @two
    """)
    program.breakpoints("one")
    program.start()
    stop = debug.stop_at("one")
    running, go_on = threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        assert go_on.wait(10)

    debug.engine.submit(stop.thread_id, work, lambda job: None, timeout_s=None)
    assert running.wait(10)
    refused: list[BaseException] = []

    def jump() -> None:
        try:
            debug.engine.jump(stop.thread_id, program.line("two"))
        except BaseException as error:
            refused.append(error)

    parked = debug.engine._world.parked[debug.engine._threads.ident_of(stop.thread_id)]
    before = len(parked.jobs)
    jumper = threading.Thread(target=jump, daemon=True)
    jumper.start()
    until(lambda: len(parked.jobs) > before, "the jump waits")
    debug.engine.detach()
    go_on.set()
    jumper.join(10)
    assert [type(error) for error in refused] == [NotStopped]
    program.finish()
    assert program["x"] == 1


def test_two_that_detach_at_once_free_the_tools_once(debug: Any, monkeypatch: Any) -> None:
    meeting = threading.Barrier(2)

    class Watched(type(debug.engine)):  # type: ignore[misc]
        @property
        def attached(self) -> bool:
            value: bool = self.__dict__["attached"]
            if value:
                with contextlib.suppress(threading.BrokenBarrierError):
                    meeting.wait(0.3)  # both have looked, or the other one cannot look yet
            return value

        @attached.setter
        def attached(self, value: bool) -> None:
            self.__dict__["attached"] = value

    done: list[int] = []
    clear = debug.engine._exceptions.clear
    monkeypatch.setattr(debug.engine._exceptions, "clear", lambda: (done.append(1), clear()))
    debug.engine.__class__ = Watched
    failures: list[BaseException] = []

    def detach() -> None:
        try:
            debug.engine.detach()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=detach) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (done, failures) == ([1], [])


def test_many_files_are_not_gone_through_for_each_new_one(debug: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(arming, "MAX_NAMES", 50)
    armoury = debug.engine._armoury
    times: list[int] = []
    forget = armoury._forget_generated
    monkeypatch.setattr(armoury, "_forget_generated", lambda: (times.append(1), forget()))
    codes = [compile("", f"/nowhere/{number}.py", "exec") for number in range(1000)]
    codes += [compile("", f"<generated {number}>", "exec") for number in range(5000)]
    for code in codes:
        armoury.file_of(code)
    assert len(armoury._by_name) < 2500, "generated names are dropped"
    assert 1 < len(times) < 20
