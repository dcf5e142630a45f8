"""What a diagnosis looks like, as data: the tree with the path that is lit, the scenarios, the suspects.

All texts are as they came, the cluster's among them: drawing makes them inert. Times are worded already.
"""

from __future__ import annotations

from msgspec import Struct


class PlaceView(Struct, frozen=True):
    """Where evidence can be looked at: a pane's name and the key of its row; an empty key is the pane as a whole."""

    pane: str
    key: str = ""


class NodeView(Struct, frozen=True, kw_only=True):
    """One node of the framework. ``answer`` is yes, no or unknown, and empty for a node that asks nothing.

    ``lit``: the answers lead here. ``last``: and no further.
    """

    id: str
    text: str
    answer: str = ""
    lit: bool = False
    last: bool = False
    evidence: str = ""
    place: PlaceView | None = None
    yes: str = ""
    no: str = ""
    next: str = ""


class ScenarioView(Struct, frozen=True, kw_only=True):
    """A scenario that fits. ``reasons`` are (symptom, evidence); ``missing`` and ``unknown`` symptoms in words."""

    id: str
    number: int
    title: str
    reasons: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    place: PlaceView | None = None


class SuspectView(Struct, frozen=True, kw_only=True):
    """A change. ``span`` is the time between it and the first symptom; ``after``: it came later, and is no suspect."""

    id: str
    what: str
    short: str
    by: str
    when: str
    span: str
    why: str
    place: PlaceView | None = None
    after: bool = False


class DiagnosisView(Struct, frozen=True, kw_only=True):
    """All of it. ``symptom_at`` words when the first symptom was there; empty: nobody knows, or nothing is ``ill``.

    ``blind``: pods are not seen now, so that what is not known to be ill may be ill all the same.
    ``remark`` is what has to be said of the whole: why there is no diagnosis yet, which probes are not live.
    """

    nodes: tuple[NodeView, ...] = ()
    scenarios: tuple[ScenarioView, ...] = ()
    suspects: tuple[SuspectView, ...] = ()
    after: tuple[SuspectView, ...] = ()
    ill: bool = False
    blind: bool = False
    symptom_at: str = ""
    symptom: str = ""
    remark: str = ""
