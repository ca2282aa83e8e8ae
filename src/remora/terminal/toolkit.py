"""A person at a real terminal, with prompt_toolkit: history, completion, coloured input.

Importing this fails with ImportError where prompt_toolkit is not installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prompt_toolkit import ANSI, PromptSession
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.completion import Completer as ToolkitCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.patch_stdout import patch_stdout

from remora.terminal.reader import Completer


class _Completions(ToolkitCompleter):
    def __init__(self) -> None:
        self.source: Completer | None = None

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        if self.source is None:
            return
        start, names = self.source(document.text, document.cursor_position)
        for name in names:
            yield Completion(name, start_position=start - document.cursor_position)


class ToolkitReader:
    """Reads lines with prompt_toolkit."""

    interactive = True

    def __init__(self, history: Path | None, *, color: bool) -> None:
        self._color = color
        self._completions = _Completions()
        self._prompt: PromptSession[str] = PromptSession(
            history=FileHistory(str(history)) if history is not None else InMemoryHistory(),
            completer=self._completions,
            # Only on Tab: each completion is a question to the program.
            complete_while_typing=False,
            complete_in_thread=True,
            lexer=_lexer() if color else None,
        )

    def read(self, prompt: str, completer: Completer | None = None) -> str:
        self._completions.source = completer
        shown = ANSI(f"\x1b[1m{prompt}\x1b[0m") if self._color else prompt
        with patch_stdout(raw=True):
            return self._prompt.prompt(shown)


def _lexer() -> Lexer | None:
    try:
        from prompt_toolkit.lexers import PygmentsLexer
        from pygments.lexers import PythonLexer  # type: ignore[import-untyped]
    except ImportError:
        return None
    lexer: Any = PygmentsLexer(PythonLexer)
    return lexer  # type: ignore[no-any-return]
