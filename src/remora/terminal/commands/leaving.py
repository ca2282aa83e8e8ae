"""Commands about the debugger itself."""

from __future__ import annotations

from remora.terminal.commands import ORDER, TABLE, command
from remora.terminal.conversation import Conversation
from remora.terminal.process import CommandError


class Quit(Exception):
    """Leave the debugger."""


@command("quit q exit", "q(uit)", "end the program and leave; one that was attached to runs on")
def quit_(app: Conversation, argument: str) -> None:
    raise Quit


@command("help h", "h(elp) [COMMAND]", "show the commands, or one")
def help_(app: Conversation, argument: str) -> None:
    if argument:
        found = TABLE.get(argument)
        if found is None:
            raise CommandError(f"there is no command {argument!r}")
        app.screen.say(f"{found.usage}\n    {found.help}")
        return
    width = max(len(each.usage) for each in ORDER if len(each.usage) < 36)
    for each in ORDER:
        if len(each.usage) <= width:
            app.screen.say(f"{app.screen.style(each.usage.ljust(width), 'bold')}  {each.help}")
        else:
            app.screen.say(app.screen.style(each.usage, "bold"))
            app.screen.say(f"{'':{width}}  {each.help}")
    app.screen.say(
        "\nAnything else is Python, run in the current frame; `!` before it where it looks like a command.\n"
        "`;;` separates commands, an empty line repeats the last one, Ctrl-C pauses the running program."
    )
