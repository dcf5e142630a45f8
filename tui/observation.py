"""What probes saw, as a draft of an entry."""

from __future__ import annotations

from incident.entry import Draft, Kind, Source
from probes.transitions import Transition


def drafted(transition: Transition, ahead: int) -> Draft:
    """``ahead`` (ms) is what is added to its time, so that entries keep the order in which things were seen."""
    # The detail is part of what happened: it must be there when the timeline is opened again, and in an export.
    text = f"{transition.text}\n{transition.detail}" if transition.detail else transition.text
    return Draft(
        text=text,
        author="probe",
        source=Source.PROBE,
        kind=Kind.OBSERVATION,
        happened_at=int(transition.at * 1000) + ahead,  # in the order in which it was seen
        evidence=dict(transition.evidence) or None,
        fold=transition.key,
        level=transition.level,
    )
