"""The cluster's warnings, gathered by what they say of whom, and which of them tell of a database or of a break-in."""

from __future__ import annotations

import re
from typing import NamedTuple

from probes.rows import Event

READ = 600
"""Characters of a message that are searched; what matters stands at its beginning, and a message may be long."""

_TIMEOUT = r"time[d]?[- ]?out|deadlock|too many connections|connection pool|pool exhausted"
_DATABASE = r"database|\bdb\b|[a-z]db\b|sql|postgres|mysql|mongo|redis|cosmos|oracle|\bpool\b|connection string"
_TIMED_OUT, _NAMES_ONE = re.compile(_TIMEOUT, re.IGNORECASE), re.compile(_DATABASE, re.IGNORECASE)

_AUTH = re.compile(
    r"\b(?:authentication|authorization|authorisation|log-?in|sign-?in|credentials?|tokens?)\W{1,3}(?:\w{1,20}\W{1,3}){0,3}"
    r"(?:fail|denied|invalid|rejected|anomal|unusual|suspicious)"
    r"|\b(?:fail(?:ed|ure)?|denied|invalid|unusual|suspicious|anomalous)\W{1,3}(?:\w{1,20}\W{1,3}){0,3}"
    r"(?:authentication|log-?in|sign-?in|token)"
    r"|brute.?force|privilege escalation|security alert",
    re.IGNORECASE,
)
# One of these is in whatever matches. To look for plain words is five times as fast, and most messages have none:
# the first look at 10,000 events is taken in one go.
_OF_TIMEOUT = ("time", "deadlock", "connection", "pool")
_OF_AUTH = ("auth", "login", "log-in", "signin", "sign-in", "credential", "token", "brute", "escalation", "alert")
_NOT_AUTH = frozenset({"Failed", "BackOff", "FailedMount", "FailedToRetrieveImagePullSecret", "ErrImagePull"})
"""Reasons of events in which a registry's or a volume's credentials are refused; nobody is breaking in."""


def of_database(text: str) -> bool:
    """Whether a message names a database, and says that something timed out or ran out."""
    text = text[:READ]
    if not _has_one(text, _OF_TIMEOUT):
        return False
    return _TIMED_OUT.search(text) is not None and _NAMES_ONE.search(text) is not None


def of_break_in(text: str) -> bool:
    """Whether a message speaks of authentication that fails or is unusual."""
    text = text[:READ]
    return _has_one(text, _OF_AUTH) and _AUTH.search(text) is not None


def _has_one(text: str, words: tuple[str, ...]) -> bool:
    folded = text.casefold()
    for word in words:  # noqa: SIM110  (any() would take as long as the search)
        if word in folded:
            return True
    return False


_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"  # what Kubernetes makes the ends of names from (apimachinery, util/rand)
_ENDS: dict[str, tuple[re.Pattern[str], ...]] = {
    "Pod": tuple(map(re.compile, (f"-{_SAFE}{{6,10}}-{_SAFE}{{5}}$", f"-{_SAFE}{{5}}$", r"-\d{1,5}$"))),
    "ReplicaSet": (re.compile(f"-{_SAFE}{{6,10}}$"),),
}


def owner(event: Event) -> str:
    """The name of the workload an event is about: a pod's or a ReplicaSet's without its end, or the object's own.

    By the name and not by looking the pod up: most events about crashing pods are older than the pods there are.
    """
    for end in _ENDS.get(event.kind, ()):
        if (found := end.search(event.object_name)) and found.start():
            return event.object_name[: found.start()]
    return event.object_name


class Group(NamedTuple):
    """All warnings of one reason about one workload. ``times`` is how often, repeats included."""

    reason: str
    owner: str
    times: int
    first_at: float
    newest: Event


class Warnings:
    """Kept up to date event by event; `settle` works out the groups that were touched."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, str], Group] = {}
        self.database: dict[str, Event] = {}
        self.break_ins: dict[str, Event] = {}
        self._members: dict[tuple[str, str], dict[str, Event]] = {}
        self._group_of: dict[str, tuple[str, str]] = {}
        self._touched: set[tuple[str, str]] = set()

    def drop(self, uid: str) -> None:
        group = self._group_of.pop(uid, None)
        if group is not None:
            self._members[group].pop(uid, None)
            self._touched.add(group)
            self.database.pop(uid, None)
            self.break_ins.pop(uid, None)

    def put(self, uid: str, event: Event) -> None:
        group = (event.reason, owner(event))
        self._group_of[uid] = group
        self._members.setdefault(group, {})[uid] = event
        self._touched.add(group)
        if of_database(event.message):
            self.database[uid] = event
        if event.reason not in _NOT_AUTH and of_break_in(event.message):
            self.break_ins[uid] = event

    def settle(self) -> None:
        touched, self._touched = self._touched, set()
        for key in touched:
            members = self._members.get(key)
            if not members:
                self._members.pop(key, None)
                self.groups.pop(key, None)
                continue
            events = members.values()
            self.groups[key] = Group(
                reason=key[0],
                owner=key[1],
                times=sum(max(event.count, 1) for event in events),
                first_at=min(event.first_at for event in events),
                newest=max(events, key=lambda event: (event.last_at, event.uid)),
            )
