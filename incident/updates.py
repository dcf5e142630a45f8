"""Status updates on the timeline: what was sent, how it fared, what was due and not sent; and reading them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from incident.entry import Draft, Entry, Kind, Source


class Update(Struct, frozen=True, kw_only=True):
    """A status update as it was sent. ``next_due`` (ms) is when it promised the next one; None: there is no next."""

    entry: str  # its id
    text: str
    author: str
    at: int  # ms
    next_due: int | None
    channels: tuple[str, ...]
    fields: dict[str, str]  # what the template was filled with


class Delivery(Struct, frozen=True, kw_only=True):
    """How an update fared with one channel."""

    update: str  # id of the update's entry
    channel: str  # its id in the runbook
    kind: str  # slack, email, …
    ok: bool
    detail: str
    attempts: int
    at: int  # ms


def update_draft(
    text: str,
    author: str,
    *,
    next_due: int | None,
    channels: Sequence[str],
    fields: Mapping[str, str] | None = None,
) -> Draft:
    """An entry that holds a status update word for word. What is sent is the entry's text, which has no secrets."""
    update = {"next_due": next_due, "channels": list(channels), "fields": dict(fields or {})}
    return Draft(kind=Kind.UPDATE, text=text, author=author, source=Source.UPDATE, evidence={"update": update})


def delivery_draft(
    update_id: str, channel: str, *, kind: str, ok: bool, detail: str, attempts: int, text: str, author: str = "warroom"
) -> Draft:
    """An entry that says how the update fared with one channel; ``text`` says it to people."""
    delivery = {"channel": channel, "kind": kind, "ok": ok, "detail": detail, "attempts": attempts}
    return Draft(
        kind=Kind.DELIVERY,
        text=text,
        author=author,
        source=Source.UPDATE,
        level="info" if ok else "bad",
        refers_to=update_id,
        evidence={"delivery": delivery},
    )


def missed_draft(due: int, *, text: str, author: str = "warroom") -> Draft:
    """An entry that says that the update which was due at ``due`` (ms) was not sent. One for each time it was due."""
    evidence = {"missed": {"due": due}}
    return Draft(kind=Kind.MISSED, text=text, author=author, source=Source.UPDATE, level="bad", evidence=evidence)


def update_of(entry: Entry) -> Update | None:
    """The update that an entry holds; None if it holds none. Whatever is in it, this does not raise."""
    found = (entry.evidence or {}).get("update")
    if entry.kind is not Kind.UPDATE or not isinstance(found, dict):
        return None
    channels, fields = found.get("channels"), found.get("fields")
    return Update(
        entry=entry.id,
        text=entry.text,
        author=entry.author,
        at=entry.happened_at,
        next_due=_int(found.get("next_due")),
        channels=tuple(str(channel) for channel in channels) if isinstance(channels, list) else (),
        fields={key: str(value) for key, value in fields.items()} if isinstance(fields, dict) else {},
    )


def delivery_of(entry: Entry) -> Delivery | None:
    """How an update fared, as an entry says; None if it does not. Whatever is in it, this does not raise."""
    found = (entry.evidence or {}).get("delivery")
    if entry.kind is not Kind.DELIVERY or entry.refers_to is None or not isinstance(found, dict):
        return None
    return Delivery(
        update=entry.refers_to,
        channel=str(found.get("channel", "")),
        kind=str(found.get("kind", "")),
        ok=found.get("ok") is True,
        detail=str(found.get("detail", "")),
        attempts=_int(found.get("attempts")) or 0,
        at=entry.happened_at,
    )


def missed_due_of(entry: Entry) -> int | None:
    """When (ms) the update was due that an entry says was missed; None if it says nothing of the kind."""
    found = (entry.evidence or {}).get("missed")
    return _int(found.get("due")) if entry.kind is Kind.MISSED and isinstance(found, dict) else None


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
