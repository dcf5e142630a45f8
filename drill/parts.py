"""What the services of a scenario do for customers, as data, where it can go wrong although their pods are well."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from drill.offsets import Name, Offset, Span

Rate = Annotated[float, Meta(ge=0, le=10_000, description="so many a second")]


class Payments(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Payments that ``service`` takes in and settles through a host outside, one after the other.

    ``arrive`` are taken in, each ready pod settles up to ``settles``; what cannot be settled waits in a queue. What is
    left of the pods' strength works that down, and each ready pod of ``processor`` up to ``works`` more. Where the host
    fails, each pod ``holds`` so many that it tries again; they are lost with the pod. From ``limit`` waiting on,
    customers feel it.
    """

    service: Name
    gateway: str
    arrive: Rate
    settles: Rate
    processor: Name
    works: Rate = 6.0
    holds: Annotated[int, Meta(ge=0)] = 40
    limit: Annotated[int, Meta(gt=0)] = 2_000


class Intrusion(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An intruder in one pod of ``service`` from ``at`` on, with a stolen ``credential``, who carries data out.

    Sign-ins come from ``address``, what is read goes to the host ``outside``. When the pod ends, another one is entered
    after ``returns``; what cuts the pod off without a word leaves the intruder waiting there for ``patience``.
    """

    at: Offset
    service: Name
    address: str
    credential: str
    outside: str
    returns: Span = "80s"
    patience: Span = "3h"
