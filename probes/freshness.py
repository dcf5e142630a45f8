"""What a probe hands over: a frozen snapshot, and how much of it can be believed right now.

Instants in this room are ``float`` seconds since the epoch (UTC), because rows are many and ages are
subtracted on every paint.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

from msgspec import Struct, field


class State(StrEnum):
    """How a source stands. Loading, empty, forbidden and broken must look different on the screen."""

    LOADING = "loading"  # nothing was ever received
    LIVE = "live"  # what is shown is what is
    STALE = "stale"  # was live; the connection is gone since `Freshness.since`
    FORBIDDEN = "forbidden"  # the server refused; `detail` names verb and resource
    UNAVAILABLE = "unavailable"  # it cannot be had; `detail` says why, `hint` what to do


class Freshness(Struct, frozen=True):
    """The standing of one source.

    ``since``     when this state began.
    ``confirmed`` when the source last proved itself (data, a bookmark, a successful poll); None if never.
    ``detail``    one clear sentence for the person, e.g. ``cannot list pods in namespace prod: forbidden for viewer``.
    ``hint``      what to do about it, e.g. ``az login``; empty if nothing can be done here.
    """

    state: State
    since: float
    confirmed: float | None = None
    detail: str = ""
    hint: str = ""

    @property
    def live(self) -> bool:
        return self.state is State.LIVE


RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)

NOTHING: Mapping[str, object] = MappingProxyType({})


class Snapshot(Struct, Generic[RowT], frozen=True):
    """All rows of one source at one instant. Never mutated: a later instant is another snapshot.

    ``source``  the probe's name: pods, nodes, workloads, events, usage, releases, endpoints, commits.
    ``rows``    key → row. The key is stable for one real-world thing (a UID for Kubernetes objects).
    ``version`` grows by at least one with every snapshot of a probe.
    ``changed`` the keys that were added, changed or removed since the snapshot with version ``version - 1``;
                None means "anything may have changed" (first snapshot, relist, missed versions).
    """

    source: str
    freshness: Freshness
    rows: Mapping[str, RowT] = field(default_factory=lambda: MappingProxyType({}))
    version: int = 0
    changed: frozenset[str] | None = None
