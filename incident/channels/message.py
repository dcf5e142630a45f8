"""What is delivered, where to, and what became of it. Nothing here is a secret."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

Event = Literal["", "trigger", "acknowledge", "resolve"]
"""What a pager is to do; empty: what the message's status means."""

WATERMARK = "DRILL · an exercise, not a real incident"
"""The first line of everything that a drill's incident sends."""


class Channel(Struct, frozen=True, kw_only=True):
    """Where messages go. ``env`` names the environment variables with its secrets, by what for; ``options`` are plain.

    What each kind takes is in `incident.channels.kinds.KINDS`.
    """

    id: str
    name: str
    kind: str
    env: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)


class Message(Struct, frozen=True, kw_only=True):
    """One status update, or one event for a pager.

    ``title``  one line: the subject of a mail, the name of a ticket.
    ``source`` what is broken: cluster and namespace.
    ``ref``    what this channel called the incident when it was first told (`Delivery.ref`); empty: it was not.
    """

    text: str
    title: str
    incident: str
    severity: int | None
    status: str
    drill: bool
    source: str = ""
    event: Event = ""
    ref: str = ""

    @property
    def headline(self) -> str:
        """The title, of a drill with that word before it: a subject or a ticket's name is often all that is read."""
        return f"DRILL: {self.title}" if self.drill else self.title

    @property
    def over(self) -> bool:
        """Whether it says that the incident is over."""
        return self.status in ("RESOLVED", "REVIEWED")


class Delivery(Struct, frozen=True, kw_only=True):
    """What became of a message on one channel. ``detail`` is one line without secrets; ``ref`` see `Message.ref`."""

    ok: bool
    detail: str
    attempts: int
    ref: str = ""


class Sent(Struct, frozen=True):
    """An adapter's answer when it went well."""

    detail: str
    ref: str = ""


class Failed(Exception):
    """It did not go well. ``again``: trying again may help; ``after``: the seconds that the other side asks for."""

    def __init__(self, detail: str, *, again: bool = False, after: float | None = None) -> None:
        super().__init__(detail)
        self.again = again
        self.after = after


def watermarked(text: str, drill: bool) -> str:
    """The text as it is sent and recorded: a drill's says so in its first line. Doing it twice changes nothing."""
    return f"{WATERMARK}\n{text}" if drill and not text.startswith(WATERMARK) else text
