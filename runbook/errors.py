"""Why a plan cannot be made or was not carried out. Every message says what was sent: nothing, or perhaps something.

MitigationError
├── NoPlan        it makes no sense here (no owner, no Istio, nothing to roll back to); nothing was sent
├── Refused       the gate or the server refused; nothing was changed
│   └── Changed   the target is not what the plan showed any more; nothing was sent
├── NotSent       the request never reached the server
│   └── NotRecorded  the intent could not be made durable, so nothing was sent
└── Uncertain     the request went out and no answer came: only looking tells what became of it
"""

from __future__ import annotations


class MitigationError(Exception):
    """The base. ``str(error)`` is one clear sentence; ``hint`` says what to do, or is empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NoPlan(MitigationError):
    """There is nothing to plan here, and the sentence says why."""


class Refused(MitigationError):
    """Somebody who may say no said no. Nothing was changed. ``status`` is the server's, None if it was the gate."""

    def __init__(self, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(message, hint)
        self.status = status


class Changed(Refused):
    """The target was replaced, scaled, rolled out or released by somebody else since the plan was shown."""


class NotSent(MitigationError):
    """No byte of the request reached the server."""


class NotRecorded(NotSent):
    """The intent could not be made durable, so nothing was sent."""


class Uncertain(MitigationError):
    """The request may have been carried out; it must not be sent again before somebody has looked."""
