"""Frames, scopes, children, texts and evaluation: the only layer that runs the user's code on request.

It knows the engine's StackEntry and Interrupted, and nothing of DAP. Stored answers hold no object of the
program; handles do, until `Inspector.forget()`.
"""

from remora.values.answers import (
    Completion,
    EvaluationFailed,
    ExceptionDetails,
    FrameDescription,
    Result,
    Scope,
    StaleHandle,
    Variable,
)
from remora.values.budget import Budget
from remora.values.inspector import Inspector

__all__ = [
    "Budget",
    "Completion",
    "EvaluationFailed",
    "ExceptionDetails",
    "FrameDescription",
    "Inspector",
    "Result",
    "Scope",
    "StaleHandle",
    "Variable",
]
