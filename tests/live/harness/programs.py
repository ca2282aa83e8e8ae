"""Target programs, with lines named by `# @marker`, and the three shapes a program can have."""

from __future__ import annotations

import enum
import re
import textwrap
from pathlib import Path

MARKER = re.compile(r"#.*?@(\w+)")


class Shape(enum.Enum):
    FILE = "file"
    MODULE = "module"
    CODE = "code"


class Program:
    """A source text on disk (or in a string), and where its markers are."""

    def __init__(self, folder: Path, text: str, shape: Shape = Shape.FILE, name: str = "app") -> None:
        self.folder = folder
        self.shape = shape
        self.text = textwrap.dedent(text)
        self.markers: dict[str, int] = {}
        for number, line in enumerate(self.text.splitlines(), 1):
            for marker in MARKER.findall(line):
                assert marker not in self.markers, f"marker {marker} twice"
                self.markers[marker] = number
        match shape:
            case Shape.FILE:
                self.path = self._write(folder / f"{name}.py")
                self.module = ""
            case Shape.MODULE:
                package = folder / f"{name}_package"
                package.mkdir(exist_ok=True)
                (package / "__init__.py").touch()
                self.path = self._write(package / f"{name}.py")
                self.module = f"{name}_package.{name}"
            case Shape.CODE:
                self.path = None
                self.module = ""

    def _write(self, path: Path) -> Path:
        path.write_text(self.text, encoding="utf-8")
        return path

    def line(self, marker: str) -> int:
        return self.markers[marker]

    @property
    def command_line(self) -> list[str]:
        """What stands on a Python command line for this program."""
        match self.shape:
            case Shape.FILE:
                return [str(self.path)]
            case Shape.MODULE:
                return ["-m", self.module]
            case Shape.CODE:
                return ["-c", self.text]

    @property
    def launch_arguments(self) -> dict[str, str]:
        match self.shape:
            case Shape.FILE:
                return {"program": str(self.path)}
            case Shape.MODULE:
                return {"module": self.module}
            case Shape.CODE:
                return {"code": self.text}
