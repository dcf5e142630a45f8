"""Watches: the changes of a kind as a stream of JSON lines, with bookmarks, selectors, tables and their two ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from drill import forms, statuses, tables
from drill.faults import Faults
from drill.forms import Accept, Form
from drill.kinds import Kind
from drill.queries import integer, resource_version
from drill.records import Change, Record, encode
from drill.routes import Target
from drill.selectors import Selection, selection
from drill.store import ObjectStore

Json = dict[str, Any]

_INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
_COALESCE: Final = 0.005  # seconds: several changes become one write
_BACKLOG: Final = 100_000  # lines; a reader slower than this is cut off, as the real watch cache does


class Watch:
    """One open watch: it collects lines from the store and sends them until time, client or server ends it."""

    def __init__(
        self, store: ObjectStore, target: Target, accept: Accept, query: Mapping[str, str], wanted: Selection
    ) -> None:
        self._store = store
        self._kind: Kind = target.kind
        self._namespace = target.namespace if target.kind.namespaced else ""
        self._accept = accept
        self._included = query.get("includeObject", "Metadata")
        self._wanted = wanted
        self._columns_sent = False
        self._lines: list[bytes] = []
        self._wake = asyncio.Event()
        self._ended = False

    # Collecting

    def begin(self, query: Mapping[str, str]) -> Callable[[], None]:
        """Collect what the start asks for and follow from there; the result ends the following."""
        asked = resource_version(query)
        initial = query.get("sendInitialEvents") == "true"
        try:
            if asked > self._store.version:
                raise statuses.too_large(asked, self._store.version)
            if initial or asked == 0:
                if query.get("sendInitialEvents") != "false":
                    for record in self._store.records(self._kind, self._namespace or None):
                        if self._wanted.matches(record):
                            self._lines.append(self._line("ADDED", record))
                if initial:
                    self.bookmark({_INITIAL_EVENTS_END: "true"})
            else:
                for change in self._store.since(self._kind, asked):
                    self._see(change)
        except statuses.ApiError as error:
            self.fail(error)
            return lambda: None
        return self._store.watch(self._kind, self._see)

    def fail(self, error: statuses.ApiError) -> None:
        """End with an ERROR event."""
        self._lines.append(forms.watch_line("ERROR", encode(error.body())))
        self.end()

    def end(self) -> None:
        self._ended = True
        self._wake.set()

    def bookmark(self, annotations: Json | None = None) -> None:
        metadata: Json = {"resourceVersion": str(self._store.version)}
        if annotations:
            metadata["annotations"] = annotations
        content: Json = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": metadata}
        if self._accept.form is Form.METADATA:
            content |= {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{self._accept.version}"}
        if self._accept.form is Form.TABLE:
            encoded = tables.bookmark(self._kind, self._accept.version, content, columns=not self._columns_sent)
            self._columns_sent = True
        else:
            encoded = encode(content)
        self._lines.append(forms.watch_line("BOOKMARK", encoded))
        self._wake.set()

    def _see(self, change: Change) -> None:
        record = change.record
        if self._namespace and record.namespace != self._namespace:
            return
        if self._wanted.everything and self._accept.form is not Form.TABLE:
            self._lines.append(forms.change_line(change, self._kind, self._accept))
        else:
            seen = self._seen_as(change)
            if seen is None:
                return
            change_type, record = seen
            if record is not change.record or change_type != change.type:
                self._lines.append(self._line(change_type, record))
            elif self._accept.form is Form.TABLE:
                self._lines.append(self._row(change))
            else:
                self._lines.append(forms.change_line(change, self._kind, self._accept))
        if len(self._lines) > _BACKLOG:
            self.end()
        self._wake.set()

    def _seen_as(self, change: Change) -> tuple[str, Record] | None:
        """What the change is to somebody who sees only what the selectors match; None if nothing."""
        if self._wanted.everything:
            return change.type, change.record
        before = change.old is not None and self._wanted.matches(change.old)
        if change.type == "DELETED":
            return ("DELETED", change.record) if before else None
        after = self._wanted.matches(change.record)
        if after:
            return ("MODIFIED" if before else "ADDED"), change.record
        if before and change.old is not None:
            # It left the selection: the last state that matched, at the version of the change.
            metadata = {**change.old.metadata, "resourceVersion": str(change.version)}
            return "DELETED", Record(change.record.kind, change.version, {**change.old.object, "metadata": metadata})
        return None

    def _row(self, change: Change) -> bytes:
        """The line of a change in a table, made once for all who watch the same; its ages are those of a second."""
        if not self._columns_sent:
            return self._line(change.type, change.record)
        key = (self._kind, self._accept.version, self._included, int(self._store.clock()))
        line = change.lines.get(key)
        if line is None:
            line = change.lines[key] = self._line(change.type, change.record)
        return line

    def _line(self, change_type: str, record: Record) -> bytes:
        match self._accept.form:
            case Form.TABLE:
                encoded = tables.table(
                    [record],
                    self._kind,
                    self._accept.version,
                    self._included,
                    self._store.clock(),
                    {"resourceVersion": str(record.version)},
                    columns=not self._columns_sent,
                )
                self._columns_sent = True
            case Form.METADATA:
                encoded = forms.metadata_only(record, self._kind, self._accept.version)
            case Form.OBJECT:
                encoded = forms.whole(record, self._kind)
        return forms.watch_line(change_type, encoded)

    # Sending

    async def send(
        self, response: web.StreamResponse, faults: Faults, *, seconds: float, bookmark_every: float | None
    ) -> None:
        """Write lines until ``seconds`` have passed (then a last bookmark) or the watch ended."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        pause = bookmark_every or seconds
        next_bookmark = loop.time() + pause
        while True:
            await faults.gate()
            now = loop.time()
            if now >= min(next_bookmark, deadline) and bookmark_every is not None and not self._ended:
                self.bookmark()
                next_bookmark = now + pause
            if self._lines:
                lines, self._lines = self._lines, []
                await response.write(b"".join(lines))
            elif self._ended:
                return
            if now >= deadline:
                return
            self._wake.clear()
            if self._lines or self._ended:
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(deadline, next_bookmark)):
                    await self._wake.wait()
                    await asyncio.sleep(_COALESCE)


class Watches:
    """All open watches of a server."""

    def __init__(self, store: ObjectStore, faults: Faults, *, bookmark_every: float) -> None:
        self._store = store
        self._faults = faults
        self._bookmark_every = bookmark_every
        self._open: set[Watch] = set()

    def __len__(self) -> int:
        return len(self._open)

    def end_all(self) -> None:
        for watch in [*self._open]:
            watch.end()

    def expire_all(self) -> None:
        """Forget the history and end every watch with an ERROR event of 410, as a compaction does to a slow reader."""
        self._store.compact()
        for watch in [*self._open]:
            watch.fail(statuses.expired("The resourceVersion for the provided watch is too old."))

    async def serve(
        self, request: web.BaseRequest, target: Target, accept: Accept, query: Mapping[str, str]
    ) -> web.StreamResponse:
        wanted = selection(target.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        if query.get("resourceVersionMatch") and "sendInitialEvents" not in query:
            raise statuses.forbidden_combination(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
        if "sendInitialEvents" in query and query.get("resourceVersionMatch") != "NotOlderThan":
            raise statuses.forbidden_combination(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        seconds = integer(query, "timeoutSeconds") or random.uniform(1800, 3600)  # noqa: S311 - spreads reconnects
        if self._faults.expired_as_status:
            asked = resource_version(query)
            if asked:
                self._store.since(target.kind, asked)
        watch = Watch(self._store, target, accept, query, wanted)
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        response.enable_chunked_encoding()
        unwatch = watch.begin(query)
        self._open.add(watch)
        try:
            await response.prepare(request)
            if self._faults.no_watches:
                watch.end()
            bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
            await watch.send(
                response, self._faults, seconds=seconds, bookmark_every=self._bookmark_every if bookmarks else None
            )
            await response.write_eof()
        except ConnectionResetError:
            pass  # the client left; that is how most watches end
        finally:
            self._open.discard(watch)
            unwatch()
        return response
