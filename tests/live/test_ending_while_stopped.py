"""A launched program that is ended while it stands does nothing more of what it was about to do."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from live.harness.debugging import launched
from live.harness.programs import Program
from processes import TOKEN_NAME, leftovers

PROGRAM = """\
import pathlib
for i in range(5):
    x = i    # @here
    pathlib.Path(f"did {i}").touch()
"""


@pytest.mark.parametrize("way", ["disconnect", "terminate", "vanish"])
def test_nothing_more_is_done(way: str, program: Callable[..., Program]) -> None:
    target = program(PROGRAM)
    with launched(target) as debugging:
        debugging.start("here")
        debugging.stopped("breakpoint")
        match way:
            case "disconnect":
                debugging.wire.request("disconnect", {})
            case "terminate":
                debugging.wire.request("terminate", {})
                code, output = debugging.until_exit()
                assert code == 130
                assert output["stderr"].endswith("KeyboardInterrupt\n")
                assert "remora" not in output["stderr"]
            case _:
                debugging.wire.close()
    assert not leftovers(os.environ[TOKEN_NAME], 5.0)
    assert not list(target.folder.glob("did *"))
