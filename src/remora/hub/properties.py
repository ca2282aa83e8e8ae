"""The properties of `launch` and `attach` configurations: one table; docs/configuration.md is its other face.

Names are those that configurations for Python have in editors today. A test compares page and table.
"""

from __future__ import annotations

import enum

from remora.hub import kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from remora.hub.kinds import Kind


class Effect(enum.Enum):
    """What a property does here."""

    WORKS = "works"
    # It is the client's own affair: taken without a word.
    CLIENTS = "the client's"
    # Known from other debuggers of Python, of no use yet: a value that asks for something is answered.
    NOT_YET = "not yet"
    # Of no use ever; as before.
    NEVER = "never"


class Property:
    """One row. `requests` is "launch", "attach" or "both"; `default` is as the page shows it, "" for none."""

    __slots__ = ("default", "effect", "kind", "requests")

    def __init__(self, requests: str, kind: Kind, default: str = "", effect: Effect = Effect.WORKS) -> None:
        self.requests = requests
        self.kind = kind
        self.default = default
        self.effect = effect

    def is_for(self, command: str) -> bool:
        return self.requests in ("both", command)


_CLIENTS, _NOT_YET, _NEVER = Effect.CLIENTS, Effect.NOT_YET, Effect.NEVER

PROPERTIES: dict[str, Property] = {
    # What runs
    "program": Property("launch", kinds.PATH),
    "module": Property("launch", kinds.PATH),
    "code": Property("launch", kinds.LINES),
    "args": Property("launch", kinds.WORDS, "[]"),
    "cwd": Property("launch", kinds.PATH),
    "env": Property("launch", kinds.ENVIRONMENT, "{}"),
    "envFile": Property("launch", kinds.PATH),
    "python": Property("launch", kinds.PYTHON),
    "pythonPath": Property("launch", kinds.PYTHON),
    "pythonArgs": Property("launch", kinds.WORDS, "[]"),
    "sudo": Property("launch", kinds.BOOL, "false"),
    # Where it shows
    "console": Property("launch", kinds.CONSOLE, "internalConsole"),
    "consoleTitle": Property("launch", kinds.TEXT),
    "consoleName": Property("launch", kinds.TEXT),
    "redirectOutput": Property("both", kinds.BOOL, "true"),
    "waitOnNormalExit": Property("launch", kinds.BOOL, "false"),
    "waitOnAbnormalExit": Property("launch", kinds.BOOL, "false"),
    # How it is debugged
    "stopOnEntry": Property("both", kinds.BOOL, "false"),
    "noDebug": Property("both", kinds.BOOL, "false"),
    "justMyCode": Property("both", kinds.BOOL, "true"),
    "debugStdLib": Property("both", kinds.BOOL, "false"),
    "rules": Property("both", kinds.RULES, "[]"),
    "subProcess": Property("both", kinds.BOOL, "true"),
    "showReturnValue": Property("both", kinds.BOOL, "true"),
    "maxExceptionStackFrames": Property("both", kinds.COUNT, "200"),
    "steppingResumesAllThreads": Property("both", kinds.BOOL, "true"),
    "autoReload": Property("both", kinds.RELOAD, "{}"),
    "gevent": Property("both", kinds.BOOL, "false"),
    "logToFile": Property("both", kinds.BOOL, "false"),
    "onTerminate": Property("launch", kinds.ON_TERMINATE),
    "debugOptions": Property("both", kinds.ANY, "[]"),
    "django": Property("both", kinds.BOOL, "false", _NOT_YET),
    "jinja": Property("both", kinds.BOOL, "false", _NOT_YET),
    "flask": Property("both", kinds.BOOL, "false", _NOT_YET),
    "pyramid": Property("both", kinds.BOOL, "false", _NOT_YET),
    "guiEventLoop": Property("both", kinds.TEXT, "", _NOT_YET),
    "variablePresentation": Property("both", kinds.PRESENTATION, "{}", _NOT_YET),
    "breakOnSystemExit": Property("both", kinds.EXITS, "[]", _NOT_YET),
    "breakOnSystemExitZero": Property("both", kinds.BOOL, "false", _NOT_YET),
    # What is attached to
    "connect": Property("attach", kinds.ADDRESS),
    "listen": Property("attach", kinds.ADDRESS),
    "host": Property("attach", kinds.TEXT, "127.0.0.1"),
    "port": Property("attach", kinds.PORT),
    "processId": Property("attach", kinds.PROCESS),
    "subProcessId": Property("attach", kinds.PROCESS),
    "interpreterId": Property("attach", kinds.COUNT),
    "token": Property("both", kinds.TEXT),
    "timeout": Property("attach", kinds.SECONDS, "0"),
    "restart": Property("attach", kinds.ANY, "false"),
    "pathMappings": Property("both", kinds.MAPPINGS, "[]"),
    "localRoot": Property("both", kinds.PATH),
    "remoteRoot": Property("both", kinds.TEXT),
    "clientOS": Property("both", kinds.TEXT),
    # The client's own
    "name": Property("both", kinds.ANY, "", _CLIENTS),
    "type": Property("both", kinds.ANY, "", _CLIENTS),
    "request": Property("both", kinds.ANY, "", _CLIENTS),
    "presentation": Property("both", kinds.ANY, "", _CLIENTS),
    "preLaunchTask": Property("both", kinds.ANY, "", _CLIENTS),
    "postDebugTask": Property("both", kinds.ANY, "", _CLIENTS),
    "internalConsoleOptions": Property("both", kinds.ANY, "", _CLIENTS),
    "serverReadyAction": Property("both", kinds.ANY, "", _CLIENTS),
    "autoStartBrowser": Property("both", kinds.ANY, "", _CLIENTS),
    "suppressMultipleSessionWarning": Property("both", kinds.ANY, "", _CLIENTS),
    "debugServer": Property("both", kinds.ANY, "", _CLIENTS),
    "debugAdapterPath": Property("both", kinds.ANY, "", _CLIENTS),
    "debugAdapterPython": Property("both", kinds.ANY, "", _CLIENTS),
    "purpose": Property("both", kinds.ANY, "", _CLIENTS),
    "windows": Property("both", kinds.ANY, "", _CLIENTS),
    "linux": Property("both", kinds.ANY, "", _CLIENTS),
    "osx": Property("both", kinds.ANY, "", _CLIENTS),
    # Of debugpy's own parts, which are not there
    "debugLauncherPath": Property("both", kinds.ANY, "", _NEVER),
    "debugLauncherPython": Property("both", kinds.ANY, "", _NEVER),
    "debugAdapterHost": Property("both", kinds.ANY, "", _NEVER),
    "debugpyArgs": Property("both", kinds.ANY, "", _NEVER),
    "linuxAttachPreferLldb": Property("both", kinds.ANY, "", _NEVER),
    "isOutputRedirected": Property("both", kinds.ANY, "", _NEVER),
    "resolveSymlinks": Property("both", kinds.ANY, "", _NEVER),
    "stopAllThreadsOnSuspend": Property("both", kinds.ANY, "", _NEVER),
    "terminateChildProcesses": Property("both", kinds.ANY, "", _NEVER),
}

# What front ends put into every configuration, beside `__names` of their own; nothing a person writes.
UNSAID = frozenset((
    "command", "workspaceFolder", "modes", "compounds", "stopAll", "hostName", "adapter",
    "cwdMode", "targetArchitecture", "processName", "platform", "preRestartTask",
))  # fmt: skip
# Whoever launches by configurations made for both requests gives these to `attach` as well.
OF_LAUNCH_UNSAID = frozenset((
    "cwd", "env", "envFile", "python", "pythonPath", "pythonArgs", "console", "consoleName", "consoleTitle",
    "sudo", "onTerminate", "waitOnNormalExit", "waitOnAbnormalExit",
))  # fmt: skip
OF_ATTACH_UNSAID = frozenset(("host", "port", "restart", "timeout"))
# The old spelling: names in a list `debugOptions`, each for a property of its own.
DEBUG_OPTIONS: dict[str, tuple[str, bool]] = {
    "RedirectOutput": ("redirectOutput", True),
    "StopOnEntry": ("stopOnEntry", True),
    "BreakOnSystemExitZero": ("breakOnSystemExitZero", True),
    "DebugStdLib": ("justMyCode", False),
    "ShowReturnValue": ("showReturnValue", True),
    "Multiprocess": ("subProcess", True),
    "Sudo": ("sudo", True),
    "Gevent": ("gevent", True),
    "GeventSupport": ("gevent", True),
    "WaitOnNormalExit": ("waitOnNormalExit", True),
    "WaitOnAbnormalExit": ("waitOnAbnormalExit", True),
    "Django": ("django", True),
    "Jinja": ("jinja", True),
    "Flask": ("flask", True),
    "Pyramid": ("pyramid", True),
}
