"""The switch interval is the program's again whenever it should be."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from remora.agent.turns import ATTACHED_S, SERVING_S, Turns


@pytest.fixture(autouse=True)
def interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield
    sys.setswitchinterval(before)


def near(wanted_s: float) -> bool:
    return sys.getswitchinterval() == pytest.approx(wanted_s, rel=0.01)


def test_a_session() -> None:
    turns = Turns()
    with turns:
        assert near(SERVING_S)
        turns.attached(True)
        assert near(SERVING_S)
    assert near(ATTACHED_S)
    with turns:
        assert near(SERVING_S)
        turns.attached(False)
    assert near(0.005)


def test_a_shorter_one_of_the_program_stays() -> None:
    sys.setswitchinterval(0.00001)
    turns = Turns()
    turns.attached(True)
    with turns:
        assert near(0.00001)
    assert near(0.00001)
    turns.attached(False)
    assert near(0.00001)


def test_what_the_program_sets_meanwhile_is_its_own() -> None:
    turns = Turns()
    turns.attached(True)
    sys.setswitchinterval(0.01)
    turns.attached(False)
    assert near(0.01)
    turns.attached(True)
    with turns:
        sys.setswitchinterval(0.02)
    assert near(ATTACHED_S)
    turns.attached(False)
    assert near(0.02)
