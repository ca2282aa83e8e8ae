"""What remora can do, as the answer to `initialize`: the hub and the agent both answer with it.

A capability is listed when it works, not when it is planned: a client builds its buttons from this.
Source: DAP, type `Capabilities`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The names are those existing launch configurations and clients use for Python.
EXCEPTION_FILTERS: list[dict[str, Any]] = [
    {
        "filter": "raised",
        "label": "Raised Exceptions",
        "description": "Stop whenever an exception is raised, once for each exception",
        "default": False,
        "supportsCondition": True,
        "conditionDescription": "A Python expression; the exception is `exc`",
    },
    {
        "filter": "uncaught",
        "label": "Uncaught Exceptions",
        "description": "Stop when an exception is about to end the program or its thread",
        "default": True,
        "supportsCondition": True,
        "conditionDescription": "A Python expression; the exception is `exc`",
    },
    {
        "filter": "userUnhandled",
        "label": "User Uncaught Exceptions",
        "description": "Stop when an exception leaves user code for a library that may handle it",
        "default": False,
        "supportsCondition": True,
        "conditionDescription": "A Python expression; the exception is `exc`",
    },
]

BREAKPOINT_MODES: list[dict[str, Any]] = [
    {"mode": "stop", "label": "Stop", "description": "Stop the program", "appliesTo": ["source"]},
    {
        "mode": "snapshot",
        "label": "Snapshot",
        "description": "Show the local variables and the stack, and go on",
        "appliesTo": ["source"],
    },
    {
        "mode": "log",
        "label": "Log",
        "description": "Show the log message, and go on",
        "appliesTo": ["source"],
    },
]

CAPABILITIES: dict[str, Any] = {
    "supportsConfigurationDoneRequest": True,
    "supportsConditionalBreakpoints": True,
    "supportsHitConditionalBreakpoints": True,
    "supportsLogPoints": True,
    "supportsEvaluateForHovers": True,
    "supportsSetVariable": True,
    "supportsSetExpression": True,
    "supportsCompletionsRequest": True,
    "completionTriggerCharacters": ["."],
    "supportsExceptionFilterOptions": True,
    "exceptionBreakpointFilters": EXCEPTION_FILTERS,
    "supportsExceptionInfoRequest": True,
    "supportsValueFormattingOptions": True,
    "supportsClipboardContext": True,
    "supportsDelayedStackTraceLoading": True,
    "supportsGotoTargetsRequest": True,
    "supportsTerminateRequest": True,
    "supportTerminateDebuggee": True,
    "breakpointModes": BREAKPOINT_MODES,
}
