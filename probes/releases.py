"""Helm releases, from the Secrets that Helm leaves: a metadata-only watch, with the charts decoded on the side.

Status, revision and times come from the Secrets' labels, so a thousand revisions cost a few hundred KB. Only the newest
revisions of each release are fetched whole, a few at a time, and each of them once.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import ClassVar, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from probes import wire
from probes.cluster import Cluster, Scope
from probes.errors import BadAnswer, Forbidden, NotFound, ProbeError
from probes.freshness import Freshness, Snapshot, State
from probes.helm_secret import StoredRelease, decode_secret
from probes.reflector import Kind, reflect
from probes.rows import Health, Release, Revision

log = logging.getLogger(__name__)

# A list and a watch have to be asked for in different words; the server does not convert between the two.
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
METADATA: Final = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"

DECODED = 3  # newest revisions of each release whose chart is fetched unasked
AT_ONCE = 4  # Secrets fetched at the same time; each can be 1 MiB
COALESCE = 0.1  # seconds
_THREAD_FROM = 256 * 1024  # bytes of a Secret from which decoding it would be felt in the event loop
_SECRET_NAME = re.compile(r"sh\.helm\.release\.v\d+\.(?P<name>.+)\.v(?P<number>[0-9]{1,9})")


class Stored(Struct, frozen=True, gc=False):
    """One revision's Secret as its metadata tells it."""

    uid: str
    resource_version: str
    namespace: str
    secret: str
    release: str
    number: int
    status: str
    updated: float | None

    @property
    def release_key(self) -> str:
        return f"{self.namespace}/{self.release}"


def stored_of(thing: wire.Anything) -> Stored | None:
    """Read Helm's labels (pkg/storage/driver/secrets.go). None for a Secret that only looks like Helm's."""
    meta = thing.metadata
    labels = meta.labels or {}
    named = _SECRET_NAME.fullmatch(meta.name)
    number = labels.get("version", "")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        number = named["number"] if named else ""
    release = labels.get("name") or (named["name"] if named else "")
    if not number or not release:
        log.warning("the Secret %s in %s is labelled as Helm's but names no release", meta.name, meta.namespace)
        return None
    status = labels.get("status", "")
    # Helm stamps modifiedAt again when it marks a revision as superseded; then it is not when the revision came.
    stamp = labels.get("createdAt") or ("" if status in ("superseded", "uninstalled") else labels.get("modifiedAt", ""))
    updated = float(stamp) if stamp.isascii() and stamp.isdigit() else wire.instant(meta.creation_timestamp)
    return Stored(meta.uid, meta.resource_version, meta.namespace, meta.name, release, int(number), status, updated)


SECRETS: Final = Kind(
    "/api/v1",
    "secrets",
    wire.Anything,
    stored_of,
    query={"labelSelector": "owner=helm"},
    accept=METADATA_LIST,
    watch_accept=METADATA,
)


class ReleasesProbe:
    """The releases of a scope, newest revision first. No release at all is LIVE with no rows."""

    name: ClassVar[str] = "releases"

    def __init__(self, cluster: Cluster, scope: Scope, *, decoded: int = DECODED) -> None:
        self._cluster = cluster
        self._scope = scope
        self._charts = Charts(cluster)
        self._decoded = decoded

    async def watch(self) -> AsyncGenerator[Snapshot[Release], None]:
        """Yield a snapshot for every burst of changed Secrets and for every burst of charts that became known."""
        seen: list[Snapshot[Stored]] = []
        news = asyncio.Event()
        follower = asyncio.create_task(self._follow(seen, news), name="helm secrets")
        follower.add_done_callback(lambda _: news.set())
        rows: Mapping[str, Release] = MappingProxyType({})
        version = 0
        try:
            while True:
                await news.wait()
                news.clear()
                if follower.done():
                    follower.result()  # a mistake of ours; the reflector itself never ends
                if not seen:
                    continue
                secrets = seen[-1]
                del seen[:-1]
                histories = _histories(secrets.rows.values())
                self._charts.want(histories, self._decoded, news)
                fresh = {key: self._release(history) for key, history in histories.items()}
                changed = frozenset(key for key in rows.keys() | fresh.keys() if rows.get(key) != fresh.get(key))
                rows = MappingProxyType(fresh)
                version += 1
                yield Snapshot(
                    self.name, self._freshness(secrets.freshness), rows, version, None if version == 1 else changed
                )
                if secrets.freshness.state is not State.LOADING:  # nobody waits longer than needed for the first rows
                    await asyncio.sleep(COALESCE)
        finally:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
            await self._charts.stop()

    async def history(self, namespace: str, name: str) -> tuple[Revision, ...]:
        """Every stored revision of one release, newest first, each decoded. Damage is told in ``description``.

        Raises:
            ProbeError: the Secrets cannot be listed or fetched; `NotFound` when there is no such release.
        """
        stored = await stored_revisions(self._cluster, namespace, name)
        await self._charts.load(stored)
        return tuple(self._charts.revision(row) for row in stored)

    async def _follow(self, seen: list[Snapshot[Stored]], news: asyncio.Event) -> None:
        async with aclosing(reflect(self.name, self._cluster, self._scope, [(SECRETS,)])) as snapshots:
            async for snapshot in snapshots:
                seen.append(snapshot)
                news.set()

    def _freshness(self, freshness: Freshness) -> Freshness:
        refused = self._charts.refused
        if refused is None or freshness.state is not State.LIVE:
            return freshness
        detail = "; ".join(filter(None, (freshness.detail, f"charts are not shown: {refused}")))
        return replace(freshness, detail=detail, hint=freshness.hint or refused.hint)

    def _release(self, history: Sequence[Stored]) -> Release:
        revisions = tuple(self._charts.revision(stored) for stored in history)
        newest = revisions[0]
        return Release(
            namespace=history[0].namespace,
            name=history[0].release,
            health=health_of(newest.status),
            revision=newest.number,
            status=newest.status,
            updated=newest.updated,
            chart=newest.chart,
            chart_version=newest.chart_version,
            app_version=newest.app_version,
            description=newest.description,
            history=revisions,
        )


def health_of(status: str) -> Health:
    """What Helm's word for a release's newest revision means for the person who looks."""
    if status == "deployed":
        return Health.HEALTHY
    if status in ("superseded", "uninstalled"):
        return Health.DORMANT
    # pending-install, pending-upgrade, pending-rollback, uninstalling, unknown and what a later Helm may bring.
    return Health.FAILING if status == "failed" else Health.DEGRADED


class Charts:
    """Fetches and remembers what only the whole Secret tells: the chart, the description, the deploy time.

    Remembered by UID; a Secret whose resourceVersion moved on is fetched again, and meanwhile its chart still holds.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.refused: Forbidden | None = None  # listing is allowed and getting is not
        self._cluster = cluster
        self._known: dict[str, tuple[str, StoredRelease | BadAnswer]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._refused_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def want(self, histories: Mapping[str, Sequence[Stored]], most: int, news: asyncio.Event) -> None:
        """See to it that the newest `most` revisions of each release get known; sets `news` when some are."""
        present = {stored.uid for history in histories.values() for stored in history}
        self._known = {uid: known for uid, known in self._known.items() if uid in present}
        wanted = [stored for history in histories.values() for stored in history[:most] if not self._is_known(stored)]
        if not wanted or (self._task is not None and not self._task.done()):
            return  # when the running ones are done, `news` brings us back here for the rest
        if self.refused is not None and time.monotonic() - self._refused_at < 300:
            return
        wanted.sort(key=lambda stored: stored.updated or 0.0, reverse=True)
        self._task = asyncio.create_task(self._load_some(wanted, news), name="helm charts")

    async def load(self, wanted: Iterable[Stored]) -> None:
        """Get to know all of these now. Raises `ProbeError`, except for damage, which becomes known too."""
        await asyncio.gather(*(self._load_one(stored) for stored in wanted if not self._is_known(stored)))

    def revision(self, stored: Stored) -> Revision:
        _, known = self._known.get(stored.uid, ("", None))
        if not isinstance(known, StoredRelease):
            return Revision(
                number=stored.number,
                status=stored.status,
                updated=stored.updated,
                secret=stored.secret,
                description=str(known) if known is not None else "",
            )
        return Revision(
            number=stored.number,
            status=stored.status or known.status,
            updated=known.last_deployed or stored.updated,
            secret=stored.secret,
            chart=known.chart_name,
            chart_version=known.chart_version,
            app_version=known.app_version,
            description=known.description,
            rollback_to=known.rollback_to,
        )

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def _is_known(self, stored: Stored) -> bool:
        return self._known.get(stored.uid, ("", None))[0] == stored.resource_version

    async def _load_some(self, wanted: Sequence[Stored], news: asyncio.Event) -> None:
        try:
            for start in range(0, len(wanted), AT_ONCE):
                await self.load(wanted[start : start + AT_ONCE])
                self.refused = None
                news.set()
        except Forbidden as error:
            self.refused, self._refused_at = error, time.monotonic()
            news.set()
        except ProbeError as error:
            # The reflector tells about the connection; its next sign of life brings us back to what is missing.
            log.info("charts are not known yet: %s", error)

    async def _load_one(self, stored: Stored) -> None:
        async with self._slots:
            try:
                found: StoredRelease | BadAnswer = await fetch_release(self._cluster, stored.namespace, stored.secret)
            except NotFound:
                return  # deleted since; the watch will say so
            except BadAnswer as error:
                if error.status is not None:
                    raise
                found = error
            self._known[stored.uid] = (stored.resource_version, found)


async def stored_revisions(cluster: Cluster, namespace: str, name: str, *, timeout: float = 10.0) -> list[Stored]:
    """Every stored revision of one release as its metadata tells it, newest first.

    Raises:
        ProbeError: the Secrets cannot be listed; `NotFound` when there is no such release.
    """
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets"
    query = {"labelSelector": f"owner=helm,name={name}"}
    body = await cluster.get(path, query, accept=METADATA_LIST, timeout=timeout)
    try:
        found = msgspec.json.decode(body, type=_Secrets)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"the list of secrets is not one: {error}") from error
    stored = [row for row in map(stored_of, found.items or ()) if row is not None]
    if not stored:
        raise NotFound(f"no Helm release {name} in namespace {namespace}", f"helm list -n {namespace}")
    return _newest_first(stored)


async def fetch_release(cluster: Cluster, namespace: str, secret: str, *, manifest: bool = False) -> StoredRelease:
    """One revision, decoded from its Secret. Raises `ProbeError`; `BadAnswer` without a status when it is damaged."""
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{quote(secret, safe='')}"
    body = await cluster.get(path)
    if len(body) < _THREAD_FROM:
        return decode_secret(body, manifest=manifest)
    return await asyncio.to_thread(decode_secret, body, manifest=manifest)


class _Secrets(Struct):
    items: list[wire.Anything] | None = None


def _histories(secrets: Iterable[Stored]) -> dict[str, list[Stored]]:
    """Release key → its revisions, newest first; the releases by their newest change."""
    found: defaultdict[str, list[Stored]] = defaultdict(list)
    for stored in secrets:
        found[stored.release_key].append(stored)
    ordered = {key: _newest_first(history) for key, history in found.items()}
    return dict(sorted(ordered.items(), key=lambda item: item[1][0].updated or 0.0, reverse=True))


def _newest_first(history: Iterable[Stored]) -> list[Stored]:
    return sorted(history, key=lambda stored: stored.number, reverse=True)
