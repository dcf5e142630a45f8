"""What a good response to a scenario looks like, as data: the severity, the ideal path, the acts that do harm.

The drill only says it. Whoever scores a response reads it from the platform's announcement, and judges what was
recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct

from drill.document import Place
from drill.offsets import Name

Words = Annotated[str, Meta(min_length=1, max_length=200)]

Way = Literal["", "up", "down", "cordon", "uncordon", "drain"]
"""Which way an act goes that can go more than one: more replicas or fewer, what is done to a node."""

WAYS = {"scale": ("up", "down"), "cordon": ("cordon", "uncordon", "drain")}

COUNTS = ("done", "role", "update", "act", "evidence", "checklist")
"""The keys of a step that say what counts as having done it; a step has one of them."""


class Step(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One step of the ideal path, and what counts as having done it: one of `COUNTS`.

    ``done``       the incident was declared, a person answered, it has the right severity, it was resolved
    ``role``       somebody took this role of the runbook
    ``update``     so many ``times`` a status update to these people was sent; ``over``: after it was resolved
    ``act``        one of these mitigations was carried out on ``target``, in this ``way``, and worked
    ``evidence``   the evidence of what this matches was kept before anything was changed
    ``checklist``  no item of this checklist or guide is open, and at least one was ticked

    What is matched is ``kind/name`` with the kind in lower case, ``deployment/payment-service``; ``*`` and ``?`` work.
    """

    id: Name
    say: Words
    done: Literal["", "declared", "acknowledged", "severity", "resolved"] = ""
    role: Name | Literal[""] = ""
    update: Literal["", "team", "customers", "pager"] = ""
    times: Annotated[int, Meta(ge=1, le=20)] = 1
    over: bool = False
    act: tuple[Name, ...] = ()
    target: Words = "*"
    way: Way = ""
    evidence: str = ""
    checklist: Name | Literal[""] = ""

    @property
    def counts(self) -> list[str]:
        """Which of `COUNTS` it has."""
        return [key for key in COUNTS if getattr(self, key)]


class Harmful(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A mitigation that makes it worse or only costs time, where ``target`` matches; ``why`` says so to people."""

    act: Name
    why: Words
    target: Words = "*"
    way: Way = ""


class Good(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """``path`` is in the ideal order. ``mitigate_within`` (seconds): what a good response needs from detection.

    ``evidence_first``: an act before evidence was kept destroys some of it. ``also``: severities that the runbook can
    be read as, too. ``cure``: the id of the step without which it only looks well again.
    """

    severity: Annotated[int, Meta(ge=1, le=4)]
    also: tuple[Annotated[int, Meta(ge=1, le=4)], ...] = ()
    cure: Name | Literal[""] = ""
    path: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=40)]
    harmful: tuple[Harmful, ...] = ()
    evidence_first: bool = False
    mitigate_within: Annotated[float, Meta(gt=0)] | None = None

    def mistakes(self) -> Iterator[tuple[Place, str]]:
        """What the types cannot say: a place below ``good``, and a sentence."""
        times = Counter(step.id for step in self.path)
        for index, step in enumerate(self.path):
            here: Place = ("path", index)
            if len(step.counts) != 1:
                found = " and ".join(step.counts) or "none"
                yield here, f"step {step.id!r} needs exactly one of {', '.join(COUNTS)}, and has {found}"
            if step.target != "*" and not step.act:
                yield (*here, "target"), f"step {step.id!r} has a target, and no act"
            if step.times != 1 and not step.update:
                yield (*here, "times"), f"step {step.id!r} says how often, and no update"
            if step.over and not step.update:
                yield (*here, "over"), f"step {step.id!r} says that it is over, and no update"
            if times.pop(step.id, 1) > 1:
                yield (*here, "id"), f"there is more than one step {step.id!r}"
            yield from (((*here, *place), said) for place, said in _astray(step.act, step.way))
        for index, one in enumerate(self.harmful):
            yield from ((("harmful", index, *place), said) for place, said in _astray((one.act,), one.way))
        if self.cure and self.cure not in [step.id for step in self.path if step.act]:
            yield ("cure",), f"the path has no step {self.cure!r} with an act"
        if self.evidence_first and not any(step.evidence for step in self.path):
            yield ("evidence_first",), "it needs a step that says which evidence"


def _astray(acts: tuple[str, ...], way: str) -> Iterator[tuple[Place, str]]:
    """A way that none of these acts goes."""
    if way and not any(way in WAYS.get(act, ()) for act in acts):
        known = "; ".join(f"{act} goes {', '.join(ways)}" for act, ways in WAYS.items())
        yield ("way",), f"no act here goes {way!r}: {known}"
