"""A terminal client on the toy adapter: commands in, everything said out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_adapter import FakeAdapter
from remora.client import Client
from remora.terminal.app import App
from remora.terminal.screen import Screen

SOURCE = """\
# the toy program
import toys

def work(a, b, word):
    one = 1
    two = 2
    three = 3
    return two

work(1, [1, 2, 3], "hi")
"""


class Script:
    """A reader of prepared lines; a callable among them runs instead of being typed."""

    def __init__(self, lines: list, *, interactive: bool = True) -> None:
        self.lines = list(lines)
        self.interactive = interactive
        self.prompts: list[str] = []

    def read(self, prompt: str, completer: object = None) -> str:
        self.prompts.append(prompt)
        while self.lines and callable(self.lines[0]) and self.lines[0] is not KeyboardInterrupt:
            self.lines.pop(0)()
        if not self.lines:
            raise EOFError
        line = self.lines.pop(0)
        if line is KeyboardInterrupt:
            raise KeyboardInterrupt
        return line


class ToyTarget:
    def __init__(self, path: str, command: str = "launch", **adapter: object) -> None:
        self.command = command
        self.is_local = command == "launch"
        self.main_file = path if self.is_local else None
        self.arguments: dict = {"stopOnEntry": self.is_local, "args": []}
        self.adapter_settings = adapter
        self.path = path
        self.begin_timeout_s = 30.0
        self.adapters: list[FakeAdapter] = []
        self.prepare = lambda adapter: None

    @property
    def adapter(self) -> FakeAdapter:
        return self.adapters[-1]

    def open(self, **callbacks: object) -> Client:
        adapter = FakeAdapter(self.path, **{"lines": 10, **self.adapter_settings})
        self.prepare(adapter)
        self.adapters.append(adapter)
        return Client.over(adapter.socket, **callbacks)

    def describe(self) -> str:
        return "toy"


class Toy:
    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.targets: list[ToyTarget] = []

    def target(self, command: str = "launch", **adapter: object) -> ToyTarget:
        self.targets.append(ToyTarget(self.path, command, **adapter))
        return self.targets[-1]

    def run(
        self, *lines: object, target: ToyTarget | None = None, interactive: bool = True
    ) -> tuple[str, int, ToyTarget]:
        """Return what was said, the exit code, and the target."""
        target = target or self.target()
        self.out = io.StringIO()
        self.reader = Script(list(lines), interactive=interactive)
        screen = Screen(self.out, self.out)
        with App(target, screen, self.reader) as app:
            self.app = app
            code = app.run()
        return self.out.getvalue().replace(self.path, "toy.py"), code, target


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Toy]:
    path = tmp_path / "toy.py"
    path.write_text(SOURCE)
    made = Toy(path)
    yield made
    for target in made.targets:
        for adapter in target.adapters:
            adapter.close()
            assert adapter.problems == []
