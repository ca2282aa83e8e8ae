"""The tree of a family: ancestors, the dead, ids that come again."""

from __future__ import annotations

from typing import Any

from remora.hub.family import MAX_REMEMBERED, Member, Tree


class Sessions:
    """Sessions are only told apart here."""

    def __init__(self, *, is_one: bool = True) -> None:
        self.tree = Tree(is_one=is_one)

    def add(self, pid: int, parent: int | None = None, **more: Any) -> Member:
        return self.tree.add(f"session {pid}", pid, parent, **more)  # type: ignore[arg-type]


def pids(members: Any) -> list[int]:
    return [member.pid for member in members]


def test_ancestors_are_the_living_nearest_first() -> None:
    it = Sessions()
    root, child = it.add(1), it.add(2, 1)
    grandchild = it.add(3, 2)
    assert pids(grandchild.ancestors()) == [2, 1]
    it.tree.close(child)
    assert pids(grandchild.ancestors()) == [1]
    it.tree.close(root)
    assert pids(grandchild.ancestors()) == []


def test_a_child_of_the_dead_joins_their_nearest_living_ancestor() -> None:
    it = Sessions()
    it.add(1)
    it.tree.close(it.add(2, 1))
    assert pids(it.add(3, 2).ancestors()) == [1]


def test_a_parent_nobody_knows() -> None:
    it = Sessions()
    assert pids(it.add(3, 99).ancestors()) == []
    assert pids(it.add(4, 4).ancestors()) == [], "its own parent, after an exec"


def test_circles_cannot_be() -> None:
    it = Sessions()
    one, other = it.add(1, 2), it.add(2, 1)
    assert pids(one.ancestors()) == []
    assert pids(other.ancestors()) == [1]


def test_an_id_that_comes_again_is_another_process() -> None:
    it = Sessions()
    first = it.add(1)
    second = it.add(1)
    it.tree.close(first)
    assert it.tree.living(1) is second
    child = it.add(2, 1)
    assert next(child.ancestors()) is second


def test_equal_ids_on_two_machines() -> None:
    it = Sessions(is_one=False)
    here, there = it.add(7), it.add(7, host="10.0.0.2")
    assert next(it.add(8, 7, host="10.0.0.2").ancestors()) is there
    assert next(it.add(8, 7).ancestors()) is here
    assert here.root is not there.root


def test_descendants_and_families() -> None:
    it = Sessions(is_one=False)
    root = it.add(1)
    it.add(2, 1)
    it.add(3, 2)
    stranger = it.add(9)
    assert pids(it.tree.descendants(root)) == [2, 3]
    assert it.tree.of_family(root.root) == ["session 1", "session 2", "session 3"]
    assert it.tree.of_family(stranger.root) == ["session 9"]


def test_the_dead_are_not_remembered_for_ever() -> None:
    it = Sessions()
    for pid in range(1, MAX_REMEMBERED + 100):
        it.tree.close(it.add(pid))
    assert not it.tree.has_been(1)
    assert it.tree.has_been(MAX_REMEMBERED + 99)
    assert len(it.tree._dead) == MAX_REMEMBERED


def test_a_line_of_generations_holds_only_the_last() -> None:
    it = Sessions()
    last = it.add(1)
    for pid in range(2, 1000):
        child = it.add(pid, pid - 1)
        it.tree.close(last)
        last = child
    depth, at = 0, last.parent
    while at is not None:
        depth, at = depth + 1, at.parent
    assert depth <= 1
