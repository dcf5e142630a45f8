"""A Helm release as the cluster keeps it: its revisions, which of them to go back to first, and a word of ours in one.

A release is no object of the API; what stands for it is the Secret of its newest revision.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from probes.errors import BadAnswer, NotFound, ProbeError
from probes.helm_secret import INFLATED_LIMIT, StoredRelease
from probes.releases import Stored, fetch_release, stored_revisions
from runbook.errors import Changed
from runbook.plan import Json, Target
from runbook.scene import READ, digest

if TYPE_CHECKING:
    from runbook.scene import Scene

KIND = "Release"
PENDING = "pending-"
DEPLOYED, SUPERSEDED, FAILED = "deployed", "superseded", "failed"
UNDER_WAY = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")

READ_WHOLE = 6  # newest revisions that are read with chart and description; older ones are offered by number
MOST_DESCRIPTION = 512


class Revision(Struct, frozen=True):
    """One revision. ``release`` None: not read, or it cannot be, and ``problem`` says why."""

    stored: Stored
    release: StoredRelease | None = None
    problem: str = ""

    @property
    def number(self) -> int:
        return self.stored.number

    @property
    def status(self) -> str:
        return self.stored.status or (self.release.status if self.release else "")

    @property
    def deployed_at(self) -> float | None:
        return (self.release.last_deployed if self.release else None) or self.stored.updated

    @property
    def back_to(self) -> int | None:
        return self.release.rollback_to if self.release else None

    @property
    def succeeded(self) -> bool:
        """As far as Helm knows: without ``--wait`` it does not look at the pods."""
        return self.status in (DEPLOYED, SUPERSEDED)


class History(Struct, frozen=True):
    """The revisions of a release that are still kept, newest first."""

    namespace: str
    name: str
    revisions: tuple[Revision, ...]

    @property
    def current(self) -> Revision:
        return self.revisions[0]

    def find(self, number: int) -> Revision | None:
        return next((revision for revision in self.revisions if revision.number == number), None)

    def given_up(self, number: int) -> int | None:
        """The revision by which somebody rolled back from this one; None if nobody did."""
        for revision in self.revisions:
            if revision.back_to is not None and revision.back_to < number < revision.number:
                return revision.number
        return None

    def origin(self, number: int) -> int:
        """Whose content a revision has: its own, or that of the one that it rolled back to."""
        for _ in self.revisions:
            revision = self.find(number)
            if revision is None or revision.back_to is None:
                break
            number = revision.back_to
        return number

    def offered(self, below: int) -> Revision | None:
        """The one to go back to first: the last before ``below`` that succeeded.

        Not one that was rolled back from itself, and not one that has the same content as what runs now, if there is
        any other. None if there is nothing to go back to.
        """
        earlier = [one for one in self.revisions if one.number < min(below, self.current.number)]
        good = [one for one in earlier if one.succeeded]
        here = self.origin(self.current.number)
        other = [one for one in good if self.origin(one.number) != here]
        untried = [one for one in other if self.given_up(one.number) is None]
        return next(iter(untried or other or good or earlier), None)


async def read_history(scene: Scene, namespace: str, name: str, also: int = 0) -> History:
    """The release as it is now; the newest revisions, and ``also``, whole. Raises `ProbeError`, `NotFound` among them.

    What cannot be read of a single revision is told by its ``problem``.
    """
    stored = await stored_revisions(scene.cluster, namespace, name, timeout=READ)
    whole = {row.number for row in stored[:READ_WHOLE]} | {also}
    read = await asyncio.gather(*(_revision(scene, row, row.number in whole) for row in stored))
    return History(namespace, name, tuple(read))


async def _revision(scene: Scene, stored: Stored, whole: bool) -> Revision:
    if not whole:
        return Revision(stored)
    try:
        found = await fetch_release(scene.cluster, stored.namespace, stored.secret, manifest=True)
    except ProbeError as error:
        return Revision(stored, None, str(error))
    return Revision(stored, found)


async def newest(scene: Scene, namespace: str, name: str) -> Stored:
    """The newest revision by its metadata. Raises `ProbeError`."""
    return (await stored_revisions(scene.cluster, namespace, name, timeout=READ))[0]


# ---------------------------------------------------------------- as a plan's target


def target_of_release(scene: Scene, namespace: str, name: str, stored: Stored | None) -> Target:
    """The release as a plan's target; ``stored`` None where the user may not even look at it."""
    return Target(
        context=scene.cluster.context,
        server=scene.cluster.server,
        kind=KIND,
        namespace=namespace,
        name=name,
        uid=stored.uid if stored else "",
        resource_version=stored.resource_version if stored else "",
        digest=digest([stored.number, stored.status]) if stored else "",
    )


async def release_again(scene: Scene, planned: Target, number: int) -> Target:
    """The plan's release as it is now. Raises `Changed` when it is gone or moved on, `ProbeError` when nobody knows."""
    try:
        stored = await newest(scene, planned.namespace, planned.name)
    except NotFound as error:
        raise Changed(f"there is no release {planned.name} any more; nothing was sent") from error
    now = target_of_release(scene, planned.namespace, planned.name, stored)
    if stored.number != number:
        text = f"{planned.name} is at revision {stored.number} ({stored.status}) by somebody else's doing"
        raise Changed(f"{text}, and was at {number} when the plan was shown; nothing was sent")
    if now.uid == planned.uid and now.digest != planned.digest:
        text = f"revision {number} of {planned.name} is {stored.status} now"
        raise Changed(f"{text}, and was not when the plan was shown; nothing was sent")
    return now


# ---------------------------------------------------------------- a word of ours


def with_description(secret: Json, words: str) -> Json:
    """A revision's Secret with ``words`` in brackets behind Helm's description of it; nothing else in it changes.

    Helm has no ``--description`` for a rollback; this is how ``helm history`` comes to tell the incident. Raises
    `BadAnswer` when the Secret is none of Helm's.
    """
    data = secret.get("data")
    held = data.get("release") if isinstance(data, dict) else None
    try:
        packed = b64decode(b64decode(str(held), validate=True), validate=True)
        text = _inflated(packed)
        whole = msgspec.json.decode(text, type=dict[str, Raw])
        info = msgspec.json.decode(whole["info"], type=dict[str, Raw])
        said = msgspec.json.decode(info.get("description", Raw(b'""')), type=str)
    except (ValueError, KeyError, zlib.error, msgspec.DecodeError) as error:
        raise BadAnswer("the Secret holds no release that can be described") from error
    said = said[:MOST_DESCRIPTION] + "…" if len(said) > MOST_DESCRIPTION else said
    info["description"] = Raw(msgspec.json.encode(f"{said} ({words})"))
    whole["info"] = Raw(msgspec.json.encode(info))
    fresh = b64encode(b64encode(gzip.compress(msgspec.json.encode(whole), compresslevel=9, mtime=0))).decode()
    return {**secret, "data": {**(data or {}), "release": fresh}}


def _inflated(packed: bytes) -> bytes:
    if not packed.startswith(b"\x1f\x8b\x08"):
        return packed
    inflater = zlib.decompressobj(wbits=31)
    text = inflater.decompress(packed, INFLATED_LIMIT)
    if inflater.unconsumed_tail or not inflater.eof:
        raise ValueError("not a whole release")
    return text


def spoken(revision: Revision, now: float) -> str:
    """One revision in a line: ``11 · chart 1.4.0, app 1.4.0 · 3d ago · Upgrade complete``."""
    parts = [str(revision.number)]
    release = revision.release
    if release is not None:
        versions = [f"chart {release.chart_version}"] if release.chart_version else []
        versions += [f"app {release.app_version}"] if release.app_version else []
        parts.append(", ".join(versions))
    if revision.deployed_at is not None:
        parts.append(f"{age(now - revision.deployed_at)} ago")
    if not revision.succeeded:
        parts.append(revision.status)
    parts.append(release.description if release else revision.problem)
    return " · ".join(filter(None, parts))


def age(seconds: float) -> str:
    """``3d``, ``5h``, ``12m``, ``40s``: as kubectl's AGE, one unit."""
    seconds = max(0.0, seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length or (unit == "d" and seconds >= length):
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"


def numbers(revisions: Sequence[Revision]) -> str:
    return ", ".join(str(revision.number) for revision in revisions)
