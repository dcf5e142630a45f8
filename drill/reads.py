"""Getting one object and listing many: pages of a consistent snapshot, selectors, and the three forms of an answer."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from drill import forms, statuses, tables
from drill.forms import Accept, Form
from drill.kinds import Kind
from drill.queries import integer, resource_version
from drill.records import Record, encode
from drill.routes import Target
from drill.selectors import Selection, selection
from drill.store import ObjectStore

Json = dict[str, Any]
Query = Mapping[str, str]
Records = list[Record]


class MetricsProvider(Protocol):
    """Measures nodes and pods, in the order of namespace and name.

    Items are NodeMetrics or PodMetrics without kind and apiVersion: ``metadata`` (in the server's order),
    ``timestamp``, ``window``, and ``usage`` or ``containers``.
    """

    def nodes(self) -> Sequence[Json]: ...

    def pods(self, namespace: str | None) -> Sequence[Json]: ...


_FORMAT: Final = "meta.k8s.io/v1"


def continue_token(version: int, last: Record, *, everywhere: bool) -> str:
    """The token of the next page, in the form of a real server's: version of the list, and the key to go on after."""
    start = f"{last.namespace}/{last.name}" if everywhere and last.namespace else last.name
    raw = json.dumps({"v": _FORMAT, "rv": version, "start": start + "\u0000"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def read_continue_token(token: str) -> tuple[int, str]:
    """(resourceVersion, key after which to go on). Raises BadRequest as recorded."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad_continue("illegal base64 data at input byte 0") from None
    try:
        content = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        first = raw[:1].decode("latin-1")
        raise _bad_continue(f"invalid character '{first}' looking for beginning of value") from None
    if not isinstance(content, dict) or content.get("v") != _FORMAT:
        raise statuses.bad_request("continue key is not valid: server does not recognize this encoded version")
    version, start = content.get("rv"), content.get("start")
    if not isinstance(version, int) or not isinstance(start, str) or not start:
        raise statuses.bad_request("continue key is not valid: incorrect encoded start resourceVersion")
    return version, start.removesuffix("\u0000")


def _bad_continue(why: str) -> statuses.ApiError:
    return statuses.bad_request(f"invalid continue token: continue key is not valid: {why}")


class Reads:
    """Answers get and list from the store (metrics from their provider)."""

    def __init__(self, store: ObjectStore, metrics: MetricsProvider | None) -> None:
        self._store = store
        self._metrics = metrics

    def get(self, target: Target, accept: Accept, query: Query) -> bytes:
        if target.kind.group == "metrics.k8s.io":
            found = [one for one in self._measured(target) if one.name == target.name]
            if not found:
                raise statuses.not_found(target.kind, target.name)
            return self.one(found[0], target.kind, accept, query)
        record = self._store.record(target.kind, target.namespace, target.name)
        if record is None:
            raise statuses.not_found(target.kind, target.name)
        return self.one(record, target.kind, accept, query)

    def one(self, record: Record, kind: Kind, accept: Accept, query: Query) -> bytes:
        """One object in the form that was asked for."""
        if accept.form is Form.METADATA:
            return forms.metadata_only(record, kind, accept.version) + b"\n"
        if accept.form is Form.TABLE:
            metadata = {"resourceVersion": record.metadata["resourceVersion"]} if record.metadata.get("uid") else {}
            included = _included(query)
            return tables.table([record], kind, accept.version, included, self._store.clock(), metadata) + b"\n"
        return forms.whole(record, kind) + b"\n"

    def list(self, target: Target, accept: Accept, query: Query) -> bytes:
        kind = target.kind
        wanted = selection(kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        if kind.group == "metrics.k8s.io":
            measured = [one for one in self._measured(target) if wanted.matches(one)]
            return self.listing(measured, kind, accept, query, {"resourceVersion": str(self._store.version)})
        page, metadata = self._page(target, wanted, query)
        return self.listing(page, kind, accept, query, metadata)

    def listing(self, records: Sequence[Record], kind: Kind, accept: Accept, query: Query, metadata: Json) -> bytes:
        """A list of these records as the kind's List, a Table or a PartialObjectMetadataList."""
        if accept.form is Form.TABLE:
            body = tables.table(records, kind, accept.version, _included(query), self._store.clock(), metadata)
            return body + b"\n"
        items: Iterable[bytes]
        if accept.form is Form.METADATA:
            list_kind, version = "PartialObjectMetadataList", f"meta.k8s.io/{accept.version}"
            items = (forms.metadata_only(record, kind, accept.version) for record in records)
        else:
            list_kind, version = kind.list_kind, kind.api_version
            skip = len(forms.prefix(kind))
            items = (forms.item(record, kind, skip) for record in records)
        if kind.custom and kind.group != "metrics.k8s.io" and accept.form is Form.OBJECT:
            metadata = {"continue": "", **metadata}  # custom resources' lists always say it
        head = f'{{"kind":"{list_kind}","apiVersion":"{version}","metadata":'.encode() + encode(metadata)
        listed = b",".join(items)
        if not listed and accept.form is Form.METADATA:
            return head + b',"items":null}\n'  # as the real server's conversion leaves it
        return head + b',"items":[' + listed + b"]}\n"

    def _page(self, target: Target, wanted: Selection, query: Query) -> tuple[Sequence[Record], Json]:
        """The records of one page, and the list's metadata."""
        kind, namespace, limit = target.kind, target.namespace or None, max(integer(query, "limit") or 0, 0)
        integer(query, "timeoutSeconds")  # a list is never that slow, but nonsense is refused
        if wanted.name and namespace is not None and "continue" not in query:
            # One name in one namespace: how kubectl waits for an object.
            found = self._store.record(kind, namespace, wanted.name)
            page = [found] if found is not None and wanted.matches(found) else []
            return page, {"resourceVersion": str(self._store.version)}
        version, records, begin = self._start(kind, namespace, query, limited=bool(limit))
        rest: Sequence[Record] = records[begin:] if begin else records
        if wanted.everything:
            page = [*rest[:limit]] if limit else [*rest]
            more = len(rest) - len(page)
        else:
            matching = (record for record in rest if wanted.matches(record))
            page = [*itertools.islice(matching, limit or None)]
            more = 1 if limit and next(matching, None) is not None else 0
        metadata: Json = {"resourceVersion": str(version)}
        if more:
            self._store.keep(kind, namespace, version, records)
            everywhere = kind.namespaced and namespace is None
            metadata["continue"] = continue_token(version, page[-1], everywhere=everywhere)
            if wanted.everything:
                metadata["remainingItemCount"] = more
        return page, metadata

    def _start(self, kind: Kind, namespace: str | None, query: Query, *, limited: bool) -> tuple[int, Records, int]:
        """The resourceVersion to list at, all records of it, and where this page begins among them.

        A version without a match means not older than it for a whole list and exactly it for the first page of one.
        """
        store = self._store
        if query.get("continue"):
            if query.get("resourceVersion", "0") != "0":
                raise statuses.bad_request("specifying resource version is not allowed when using continue")
            version, start = read_continue_token(query["continue"])
            records = store.snapshot(kind, namespace, version)
            space, _, name = start.rpartition("/")
            last = (space or namespace or "", name)
            return version, records, bisect_right(records, last, key=lambda record: (record.namespace, record.name))
        match = _match(query)
        asked = resource_version(query)
        if asked > store.version:
            raise statuses.too_large(asked, store.version)
        exactly = match == "Exact" or (not match and limited)
        if exactly and asked not in (0, store.version):
            return asked, store.as_of(kind, namespace, asked), 0
        return store.version, store.records(kind, namespace), 0

    def _measured(self, target: Target) -> Records:
        if self._metrics is None:
            raise statuses.no_such_resource()
        items = self._metrics.pods(target.namespace or None) if target.kind.namespaced else self._metrics.nodes()
        kind, version = target.kind, self._store.version
        head = {"kind": kind.kind, "apiVersion": kind.api_version}
        return [Record(kind, version, {**head, **item}) for item in items]


def _match(query: Query) -> str:
    """The parameter resourceVersionMatch of a list. Raises Invalid (422) where it does not fit."""
    match = query.get("resourceVersionMatch", "")
    if match and not query.get("resourceVersion"):
        raise statuses.forbidden_combination("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match not in ("", "Exact", "NotOlderThan"):
        raise statuses.unsupported_match(match)
    if match == "Exact" and query["resourceVersion"] == "0":
        raise statuses.forbidden_combination('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
    return match


def _included(query: Query) -> str:
    """The parameter includeObject of a Table: None, Metadata or Object. Raises BadRequest."""
    included = query.get("includeObject", "Metadata")
    if included not in ("None", "Metadata", "Object"):
        raise statuses.bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{included}": must be '
            "'Metadata', 'Object', 'None', or empty"
        )
    return included
