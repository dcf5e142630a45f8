"""The one way to keep up with a Kubernetes kind: list it in pages, watch from there, and start over when told to.

What the official client's watch lacks is here: bookmarks, backoff after every end, 410 in both its forms, a
connection that died without saying so, and a refusal that is retried without hammering.
Protocol: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct, field

from probes import answers, wire
from probes.cluster import JSON, Cluster, Scope
from probes.errors import (
    BadAnswer,
    ConfigError,
    CredentialFailed,
    Forbidden,
    Gone,
    LoginExpired,
    NotFound,
    ProbeError,
    Unreachable,
)
from probes.freshness import Snapshot
from probes.gathering import Gathering, Overdue, Part

log = logging.getLogger(__name__)

WireT = TypeVar("WireT")
RowT = TypeVar("RowT")


class Kind(Struct, Generic[WireT, RowT], frozen=True):
    """How one resource is read. ``wire`` is a struct with a ``metadata: wire.Meta``; rows are keyed by UID.

    ``row`` may return None for an object that is not of interest. ``query`` holds selectors.
    ``overdue`` tells when a row gets worse by itself (see `Part`).
    """

    prefix: str  # /api/v1 or /apis/GROUP/VERSION
    resource: str  # plural
    wire: type[WireT]
    row: Callable[[WireT], RowT | None]
    namespaced: bool = True
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = JSON
    watch_accept: str = ""  # where a watch has to be asked for in other words than a list (metadata only)
    overdue: Overdue[RowT] | None = None
    pages: int = 1  # how many usual pages of objects one page of this kind holds: small objects come faster in bulk

    def path(self, namespace: str) -> str:
        middle = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{self.prefix}{middle}/{self.resource}"


class Pace(Struct, frozen=True):
    """The reflector's limits, in seconds unless said otherwise."""

    page: int = 500  # objects in one page of a list
    list_timeout: float = 30.0  # for one page
    answer_timeout: float = 10.0  # for the headers of a watch
    watch_for: tuple[float, float] = (
        240.0,
        480.0,
    )  # asked of the server, at random so that watches do not end together
    idle: float = 75.0  # servers send a bookmark about every minute
    short: float = 5.0  # a watch that ended sooner counts as a failure
    first_retry: float = 0.5
    last_retry: float = 20.0
    slow_retry: float = 30.0  # where only a person can change the answer
    breath: float = 0.015  # how long rows are built before the event loop gets its turn


DEFAULT_PACE = Pace()


def reflect(
    source: str,
    cluster: Cluster,
    scope: Scope,
    kinds: Sequence[Sequence[Kind[Any, RowT]]],
    *,
    pace: Pace = DEFAULT_PACE,
) -> AsyncGenerator[Snapshot[RowT], None]:
    """Snapshots of all the kinds in all of the scope's namespaces together.

    Each entry of ``kinds`` is a list of alternatives: the second is tried where the first is not served or refused.
    """
    gathering: Gathering[RowT] = Gathering(source)
    jobs: list[Callable[[], Any]] = []
    for alternatives in kinds:
        namespaces = scope.namespaces if alternatives[0].namespaced else ()
        for namespace in namespaces or ("",):
            part = gathering.part(alternatives[0].overdue)
            jobs.append(Reflector(cluster, namespace, alternatives, part, pace=pace).run)
    return gathering.snapshots(jobs)


class Reflector(Generic[RowT]):
    """Keeps one part true for one namespace ("" for all), for ever. Only bugs leave `run`."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        alternatives: Sequence[Kind[Any, RowT]],
        part: Part[RowT],
        *,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.part = part
        self.pace = pace
        self._alternatives = alternatives
        self._kind = alternatives[0]
        self._decoders = {kind.wire: msgspec.json.Decoder(kind.wire) for kind in alternatives}
        self._paged = True
        self._failures = 0  # in a row, since the last watch that lasted
        self._relists = 0  # likewise
        self._opened = False
        self._version = ""  # the resourceVersion to watch from; "" means list first

    async def run(self) -> None:
        with self.cluster.heartbeat.attended() as beats:
            while True:
                began = time.monotonic()
                error: ProbeError | None = None
                self._opened = False
                try:
                    if not self._version:
                        await self._list()
                        began = time.monotonic()
                    await self._watch(beats)
                except Gone as gone:
                    error, self._version = gone, ""
                except BadAnswer as bad:
                    # Whatever it was, a fresh list gets past it.
                    error, self._version = bad, ""
                except ProbeError as trouble:
                    error = trouble
                delay = self._delay(error, time.monotonic() - began)
                silent = isinstance(error, Unreachable) and error.status is None and not self._opened
                await self._pause(delay, beats, wake_when_heard=silent)

    def _delay(self, error: ProbeError | None, lasted: float) -> float:
        """How long to leave the server alone now; also tells the part about it."""
        healthy = self._opened and lasted >= self.pace.short
        if healthy:
            self._failures = self._relists = 0
        if error is None and healthy:
            return random.uniform(0.0, 0.2)  # noqa: S311  (the server ended the watch as it was asked to)
        if isinstance(error, Gone):
            self._relists += 1
            if self._relists == 1:
                return 0.0  # the usual way of things after a quiet hour or a server's restart
        self._failures += 1
        if error is None and self._failures > 3:
            error = Unreachable(f"{self.cluster.server} ends every watch of {self._kind.resource} at once")
        if error is not None and not isinstance(error, Gone):
            self.part.failed(error)
        if isinstance(error, Forbidden | NotFound | LoginExpired | CredentialFailed | ConfigError):
            most = self.pace.slow_retry if isinstance(error, Forbidden | NotFound) else self.pace.slow_retry / 2
            # Which credential or right is missing is not known any more after a while: begin with a list.
            self._version = ""
        else:
            most = min(self.pace.first_retry * 2 ** min(self._failures - 1, 10), self.pace.last_retry)
        delay = most * random.uniform(0.6, 1.0)  # noqa: S311  (jitter, not a secret)
        asked = error.retry_after if error is not None else None
        return max(delay, asked or 0.0)

    async def _pause(self, delay: float, beats: asyncio.Queue[ProbeError | None], *, wake_when_heard: bool) -> None:
        """Sleep; a server that could not be reached and is heard again ends it early."""
        while not beats.empty():
            beats.get_nowait()  # from before the failure
        try:
            async with asyncio.timeout(delay):
                while True:
                    alive = await beats.get() is None
                    if alive and wake_when_heard:
                        return
                    wake_when_heard = wake_when_heard or not alive
        except TimeoutError:
            return

    # ---------------------------------------------------------------- list

    async def _list(self) -> None:
        for kind in self._alternatives:
            self._kind = kind
            try:
                await self._list_kind()
                return
            except (NotFound, Forbidden):
                if kind is self._alternatives[-1]:
                    raise

    async def _list_kind(self) -> None:
        rows: dict[str, RowT] = {}
        unreadable: dict[str, str] = {}
        query = dict(self._kind.query)
        if self._paged:
            query["limit"] = str(self.pace.page * self._kind.pages)
        asking: asyncio.Task[bytes] | None = None
        try:
            while True:
                try:
                    page = self._page(await (asking or self._get(query)))
                except (Gone, BadAnswer) as error:
                    if "continue" in query and error.status in (400, 410):
                        # The list outlived its continue token: like client-go, take it in one piece next time.
                        self._paged = False
                        raise Gone(str(error), status=410) from error
                    raise
                if page.metadata.next_page:
                    # The server prepares the next page while the rows of this one are built.
                    query["continue"] = page.metadata.next_page
                    asking = asyncio.create_task(self._get(query), name=f"next page of {self._kind.resource}")
                    await asyncio.sleep(0)  # else it is not sent before the rows are built
                await self._build(page, rows, unreadable)
                if not page.metadata.next_page:
                    break
        finally:
            if asking is not None and not asking.done():
                asking.cancel()
        if not rows and not unreadable:
            await self._check_namespace()
        self._paged = True
        self._version = page.metadata.resource_version
        self.part.listed(rows, unreadable)
        self.part.live()

    async def _build(self, page: wire.Page[Any], rows: dict[str, RowT], unreadable: dict[str, str]) -> None:
        breath = time.perf_counter() + self.pace.breath
        make = self._kind.row
        for item in page.items or ():
            thing = self._readable(item, unreadable) if isinstance(item, msgspec.Raw) else item
            row = None if thing is None else make(thing)
            if row is not None:
                rows[thing.metadata.uid] = row
            if time.perf_counter() > breath:
                await asyncio.sleep(0)
                breath = time.perf_counter() + self.pace.breath

    async def _get(self, query: Mapping[str, str]) -> bytes:
        return await self.cluster.get(
            self._kind.path(self.namespace), query, accept=self._kind.accept, timeout=self.pace.list_timeout
        )

    def _page(self, body: bytes) -> wire.Page[Any]:
        """A page with its objects read; with all of them raw where there is one that cannot be."""
        with suppress(msgspec.DecodeError):
            return wire.page_decoder(self._kind.wire).decode(body)
        try:
            return wire.page_decoder(msgspec.Raw).decode(body)
        except msgspec.DecodeError as error:
            raise BadAnswer(f"the list of {self._kind.resource} is not one: {error}") from error

    def _readable(self, raw: msgspec.Raw, unreadable: dict[str, str]) -> Any:
        try:
            return self._decoders[self._kind.wire].decode(raw)
        except msgspec.DecodeError as error:
            key, who = self._who(raw, error)
            unreadable[key] = who
            return None

    def _who(self, raw: msgspec.Raw, error: msgspec.DecodeError) -> tuple[str, str]:
        try:
            meta = _anything.decode(raw).metadata
        except msgspec.DecodeError:
            meta = wire.Meta(name="something without a name")
        log.warning("cannot read one of %s, %s: %s", self._kind.resource, meta.name, error)
        return meta.uid, meta.name

    async def _check_namespace(self) -> None:
        """The API server lists a namespace that does not exist as an empty one."""
        if not self.namespace or not self._kind.namespaced:
            return
        try:
            await self.cluster.get(f"/api/v1/namespaces/{self.namespace}")
        except NotFound as error:
            raise NotFound(
                f'namespace "{self.namespace}" does not exist', hint="kubectl get namespaces", status=404
            ) from error
        except Forbidden:
            return  # who may not read namespaces is told what the list told: nothing is there

    # ---------------------------------------------------------------- watch

    async def _watch(self, beats: asyncio.Queue[ProbeError | None]) -> None:
        """Follow changes until the server ends the watch. Raises `Gone` for a relist and what the connection raises."""
        reader = asyncio.create_task(self._read(), name=f"watch {self._kind.resource} {self.namespace}")
        beat: asyncio.Task[ProbeError | None] | None = None
        try:
            while not reader.done():
                beat = beat or asyncio.create_task(beats.get())
                # A watch that was refused or is out of date says so within its first moments.
                unsure = not self.part.freshness.live
                done, _ = await asyncio.wait(
                    {reader, beat}, timeout=0.5 if unsure else None, return_when=asyncio.FIRST_COMPLETED
                )
                if reader in done:
                    break
                if beat in done:
                    trouble, beat = beat.result(), None
                    if trouble is not None:
                        raise trouble
                if self._opened:
                    self.part.live()
            await reader
        finally:
            for task in (reader, beat):
                if task is not None:
                    task.cancel()
            await asyncio.gather(reader, *([beat] if beat else []), return_exceptions=True)

    async def _read(self) -> None:
        seconds = random.uniform(*self.pace.watch_for)  # noqa: S311
        query = {
            **self._kind.query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        lines = self.cluster.lines(
            self._kind.path(self.namespace),
            query,
            accept=self._kind.watch_accept or self._kind.accept,
            idle_timeout=self.pace.idle,
            answer_timeout=self.pace.answer_timeout,
            opened=self._open,
        )
        try:
            async with aclosing(lines):
                async for line in lines:
                    if line:
                        self._change(line)
        except Unreachable:
            if self._opened and self._silent_but_alive():
                return  # the connection died or its bookmarks are rare; the server is there, so just watch again
            raise

    def _open(self) -> None:
        self._opened = True

    def _silent_but_alive(self) -> bool:
        confirmed = self.cluster.heartbeat.confirmed
        return confirmed is not None and time.time() - confirmed < 3 * self.cluster.heartbeat.every

    def _change(self, line: bytes) -> None:
        try:
            change = _line_decoder.decode(line)
        except msgspec.DecodeError as error:
            raise BadAnswer(f"the watch of {self._kind.resource} is not readable: {error}") from error
        if change.type == "ERROR":
            status = answers.status_of(bytes(change.object))
            if status.reason in ("Expired", "Gone"):
                raise Gone(status.message or "expired", status=410)
            raise answers.error_for(status.code or 500, status)
        if change.type == "BOOKMARK":
            self._version = _anything.decode(change.object).metadata.resource_version or self._version
            self.part.live()
            return
        try:
            thing = self._decoders[self._kind.wire].decode(change.object)
            row = None if change.type == "DELETED" else self._kind.row(thing)
            meta: wire.Meta = thing.metadata
        except msgspec.DecodeError as error:
            key, who = self._who(change.object, error)
            self.part.spoil(key, who)
            return
        self._version = meta.resource_version or self._version
        if row is None:
            self.part.drop(meta.uid)
        else:
            self.part.put(meta.uid, row)
        if not self.part.freshness.live:
            self.part.live()


_line_decoder = msgspec.json.Decoder(wire.WatchLine)
_anything = msgspec.json.Decoder(wire.Anything)
