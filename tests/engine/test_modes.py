"""Breakpoints that log or take a snapshot: they never stop the program, and know when enough is said."""

from __future__ import annotations

from typing import Any

import pytest

from remora.engine import BreakpointState, Mode
from remora.engine.quota import COUNTED, LEFT_OUT, SILENT, TAKEN, Quota

LOOP = """
    def f(n):
        for i in range(n):
            x = i  # @body
        return n
    total = f(COUNT)
"""


def looping(debug: Any, count: int) -> Any:
    return debug.program(LOOP.replace("COUNT", str(count)))


def test_a_snapshot_shows_the_frame_and_the_program_goes_on(debug: Any) -> None:
    program = looping(debug, 3)
    [point] = program.breakpoints(("body", {"mode": Mode.SNAPSHOT}))
    assert point.state is BreakpointState.VERIFIED
    program.start()
    program.finish()
    debug.no_more_stops()
    line = program.line("body")
    assert debug.recorder.of("snapped") == [
        (point.id, line, {"n": 3, "i": 0}),
        (point.id, line, {"n": 3, "i": 1, "x": 0}),
        (point.id, line, {"n": 3, "i": 2, "x": 1}),
    ]


def test_condition_hit_condition_and_limit_count_together(debug: Any) -> None:
    program = looping(debug, 20)
    program.breakpoints(
        ("body", {"mode": Mode.SNAPSHOT, "condition": "i >= 4", "hit_condition": "% 3", "limit": 2})
    )
    program.start()
    program.finish()
    assert [local["i"] for _, _, local in debug.recorder.of("snapped")] == [6, 9]


def test_after_its_limit_the_line_is_switched_off(debug: Any) -> None:
    """The one visit after the last hit switches it off: nothing of ours runs from then on."""
    program = looping(debug, 10)
    [point] = program.breakpoints(("body", {"log_message": "{i}", "limit": 2}))
    program.start()
    program.finish()
    assert [text for _, text, _ in debug.recorder.logs] == ["0", "1"]
    assert point.hits == 2


def test_over_the_rate_it_counts_and_then_falls_silent(debug: Any) -> None:
    program = looping(debug, COUNTED + 500)
    [point] = program.breakpoints(("body", {"log_message": "{i}", "rate": (3, 3600.0)}))
    program.start()
    program.finish()
    assert len(debug.recorder.logs) == 3
    assert debug.recorder.of("throttled") == [point], "said once"
    assert point.hits == 3 + COUNTED, "the visits after that are not even seen"
    assert debug.engine.next_interval(point) == (COUNTED, True)
    program.start("f(2)")
    program.finish()
    assert [text for _, text, _ in debug.recorder.logs[3:]] == ["0", "1"]
    assert debug.engine.next_interval(point) == (0, False)


def test_a_hit_condition_goes_on_counting_while_it_is_over_the_rate(debug: Any) -> None:
    program = looping(debug, 2 * COUNTED + 10)
    [point] = program.breakpoints(
        ("body", {"log_message": "{i}", "hit_condition": "> 0", "rate": (1, 3600.0)})
    )
    program.start()
    program.finish()
    assert point.hits == 2 * COUNTED + 10


def test_another_breakpoint_on_the_line_keeps_it_alive(debug: Any) -> None:
    program = looping(debug, 5)
    quiet, loud = program.breakpoints(
        ("body", {"log_message": "quiet {i}", "limit": 1}), ("body", {"log_message": "loud {i}"})
    )
    program.start()
    program.finish()
    texts = [text for _, text, _ in debug.recorder.logs]
    assert texts == ["quiet 0", *(f"loud {i}" for i in range(5))]
    assert (quiet.hits, loud.hits) == (1, 5)


@pytest.mark.parametrize("mode", [Mode.SNAPSHOT, Mode.LOG])
@pytest.mark.parametrize("extra", [{}, {"hit_condition": "> 0"}])
def test_an_error_in_its_condition_is_told_and_stops_nothing(debug: Any, mode: Mode, extra: Any) -> None:
    program = looping(debug, 3)
    message = "never" if mode is Mode.LOG else None
    [point] = program.breakpoints(
        ("body", {"mode": mode, "condition": "1/0", "log_message": message, **extra})
    )
    program.start()
    program.finish()
    debug.no_more_stops()
    [(number, text, line)] = debug.recorder.logs
    assert (number, line) == (point.id, program.line("body"))
    assert "ZeroDivisionError" in text


def test_a_log_without_a_message_is_refused(debug: Any) -> None:
    [point] = looping(debug, 1).breakpoints(("body", {"mode": Mode.LOG}))
    assert point.state is BreakpointState.FAILED
    assert "empty" in point.message


HIDING = [
    ("{user} {password}", "u <redacted>"),
    ("{box.password!r:>30}", "<redacted>"),
    ("{data['password']}", "<redacted>"),
    ("{data.get('password')}", "<redacted>"),
    ("{f'{password}!'}", "<redacted>"),
    ("{password=}", "<redacted>"),
    ("{len(password)} {password is None} {not password}", "3 False False"),
    ("the password: {user}", "the password: u"),
    ("{f'password {user}'}", "password u"),
]


@pytest.mark.parametrize(("message", "expected"), HIDING)
def test_secrets_are_hidden_by_the_name_that_is_read(debug: Any, message: str, expected: str) -> None:
    program = debug.program("""
        class Box: pass
        def f(user, password):
            box = Box()
            box.password = password
            data = {"password": password}
            return user  # @here
        f("u", "abc")
    """)

    def hides(name: str) -> bool:
        return name == "password"

    program.breakpoints(("here", {"log_message": message, "hides": hides}))
    program.start()
    program.finish()
    assert [text for _, text, _ in debug.recorder.logs] == [expected]


def test_quota_by_the_clock() -> None:
    quota = Quota(None, (2, 1.0))
    assert [quota.take(10.0), quota.take(10.5), quota.take(10.9)] == [TAKEN, TAKEN, LEFT_OUT]
    assert quota.is_news()
    assert not quota.is_news()
    assert quota.take(12.0) == LEFT_OUT, "an interval with something left out ends when that was told"
    assert quota.next_interval(12.0) == (2, False)
    assert quota.take(12.1) == TAKEN
    assert quota.take(13.2) == TAKEN, "nothing was left out: the next interval begins by itself"
    assert quota.take(13.3) == TAKEN
    assert quota.take(13.4) == LEFT_OUT


def test_quota_limit_holds_across_intervals() -> None:
    quota = Quota(3, (2, 1.0))
    verdicts = [quota.take(now) for now in (0.0, 0.1, 1.5, 1.6, 9.0)]
    assert verdicts == [TAKEN, TAKEN, TAKEN, SILENT, SILENT]
    assert quota.is_over
