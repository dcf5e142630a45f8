"""What a diagnosis says, frozen. Sentences hold text from the cluster: whoever draws them makes it inert.

Instants are float seconds since the epoch (UTC), spans are seconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from runbook.response import Asks, Symptom

Answer = Literal["yes", "no", "unknown", ""]
"""Empty: the node asks nothing, it is a thing to do. ``unknown`` is said, with the reason, and never guessed."""

ChangeKind = Literal["release", "rollout", "scaling", "node", "azure", "commit"]
Touch = Literal["workload", "node", "database", "namespace", "shared", "elsewhere"]
"""How near to what is ill a change was: the workload itself, a node under its pods, the server of a database that is
ill or of which it speaks, its namespace, something that all may stand on (network, cluster, secrets), none of them."""


class Place(Struct, frozen=True, kw_only=True):
    """Where evidence can be looked at: a pane, and the thing there.

    ``kind`` is the thing's (Pod, Deployment, Node, Event, Endpoint, Release, Commit, Activity, SqlDatabase); empty: the
    pane as a whole.
    ``key`` is its snapshot's key, where it has one of its own. ``revision`` is a release's.
    """

    pane: str
    kind: str = ""
    namespace: str = ""
    name: str = ""
    key: str = ""
    revision: int = 0


class Finding(Struct, frozen=True, kw_only=True):
    """One node of the framework as it stands. ``lit``: it is on the path that the answers take.

    ``yes``, ``no`` and ``next`` are ids of other nodes, empty where there is none. ``since`` is when what the
    evidence tells began, None if that is not known.
    """

    id: str
    text: str
    asks: Asks
    answer: Answer
    evidence: str
    place: Place | None
    since: float | None
    lit: bool
    yes: str = ""
    no: str = ""
    next: str = ""


class Seen(Struct, frozen=True, kw_only=True):
    """A symptom that is there. ``names`` are the workloads and endpoints that show it: scenarios' globs match them.

    ``as_of``: the probe has been stale since then, and this was so before; None while it is live.
    """

    symptom: Symptom
    text: str
    since: float | None
    place: Place
    names: tuple[str, ...] = ()
    as_of: float | None = None


class Fit(Struct, frozen=True, kw_only=True):
    """A scenario with what speaks for it. ``particular``: it is about the very services that are ill.

    ``missing`` are its symptoms that are not there, ``unknown`` those that cannot be known now.
    """

    id: str
    number: int
    title: str
    score: float
    particular: bool
    reasons: tuple[Seen, ...]
    missing: tuple[Symptom, ...] = ()
    unknown: tuple[Symptom, ...] = ()


class Suspect(Struct, frozen=True, kw_only=True):
    """A change, and why it ranks where it does. ``before`` is the time to the first symptom, negative after it.

    ``short`` completes "40 s after …"; ``what`` stands alone; ``by`` is empty where nobody wrote it down.
    """

    id: str
    kind: ChangeKind
    what: str
    short: str
    by: str
    at: float
    before: float
    touch: Touch
    score: float
    why: str
    place: Place


class Diagnosis(Struct, frozen=True, kw_only=True):
    """All of it. ``path`` are the ids of the lit nodes from the first on; its last one is where to go on.

    ``suspects`` rank by what speaks for them; ``after`` are changes since the first symptom, the newest first.
    ``chronic`` counts what has been ill for so long that it is not what is looked for now. ``ill``: anything is,
    whether it is known since when or not.
    """

    findings: tuple[Finding, ...]
    path: tuple[str, ...]
    first_symptom: float | None
    first_text: str
    symptoms: tuple[Seen, ...]
    fits: tuple[Fit, ...]
    suspects: tuple[Suspect, ...]
    after: tuple[Suspect, ...]
    chronic: int = 0
    ill: bool = False

    def finding(self, of: str) -> Finding | None:
        return next((one for one in self.findings if one.id == of), None)
