"""What an organiser can do to a running platform besides the steps of a script: trouble with its servers, and words.

Each is a struct like a step (`drill.script`), told by its ``do``. ``lasts`` is a time of the platform's clock after
which it ends by itself; without it, it lasts until ``well``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from drill.offsets import Name, Span

Lasts = Annotated[
    str, Meta(pattern=r"^((\d+(\.\d+)?[dhms])+)?\Z", description="a length of time such as 90s or 6m, or nothing")
]
Of = Literal["kubernetes", "azure"]
_Status = Annotated[int, Meta(ge=400, le=599)]
_Few = Annotated[int, Meta(ge=1, le=100_000)]


class Trouble(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="do"):
    """All of them."""


class Frozen(Trouble, frozen=True, tag="frozen"):
    """Requests are accepted and never answered, open watches fall silent."""

    of: Of = "kubernetes"
    lasts: Lasts = ""


class Error(Trouble, frozen=True, tag="error"):
    """Every request is answered with this status; with ``only``, those whose path contains that text."""

    of: Of = "kubernetes"
    status: _Status = 500
    only: str = ""
    lasts: Lasts = ""


class Slow(Trouble, frozen=True, tag="slow"):
    """Every answer takes so much longer; with ``only``, where the path contains that text."""

    of: Of = "kubernetes"
    by: Span = "3s"
    only: str = ""
    lasts: Lasts = ""


class Throttled(Trouble, frozen=True, tag="throttled"):
    """So many further requests are answered with 429."""

    of: Of = "kubernetes"
    requests: _Few = 50


class LoggedOut(Trouble, frozen=True, tag="logged-out"):
    """Every token is refused with 401."""

    of: Of = "kubernetes"
    lasts: Lasts = ""


class LostWrites(Trouble, frozen=True, tag="lost-writes"):
    """So many further writes end without an answer: they never arrived, or with ``done`` they were carried out."""

    of: Of = "kubernetes"
    requests: _Few = 1
    done: bool = False


class NoMetrics(Trouble, frozen=True, tag="no-metrics"):
    """metrics.k8s.io answers 503."""

    lasts: Lasts = ""


class NoWatches(Trouble, frozen=True, tag="no-watches"):
    """Every watch ends as soon as it began."""

    lasts: Lasts = ""


class Closed(Trouble, frozen=True, tag="closed"):
    """Everything in a namespace is forbidden (403), for everybody."""

    namespace: Name
    lasts: Lasts = ""


class Gone(Trouble, frozen=True, tag="gone"):
    """The API server's process is down: every connection is cut, and none is accepted."""

    lasts: Lasts = ""


class Cut(Trouble, frozen=True, tag="cut"):
    """Every open connection is cut once, watches included."""


class Compacted(Trouble, frozen=True, tag="compacted"):
    """The server forgets its history: every watch ends with 410, and who comes back has to list again."""


class Well(Trouble, frozen=True, tag="well"):
    """The API servers are well again: whatever of the above still lasts, ends."""


class Message(Trouble, frozen=True, tag="message"):
    """Words to who practises: an event in the scenario's namespace, reason Organiser."""

    text: Annotated[str, Meta(min_length=1, max_length=500)]
    warning: bool = False


Kind = (
    Frozen
    | Error
    | Slow
    | Throttled
    | LoggedOut
    | LostWrites
    | NoMetrics
    | NoWatches
    | Closed
    | Gone
    | Cut
    | Compacted
    | Well
    | Message
)
