"""An app with nothing but one paper widget (timeline, log, editor …), what it told, and entries to fill it with."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.message import Message

from incident.entry import Entry, Kind, Source
from incident.timeline import Timeline
from tests.pilot.pane_harness import PaneApp
from widgets.editor import QuickLog
from widgets.entry_editor import EntryEditor, RetractPrompt
from widgets.log_view import LogView
from widgets.timeline import TimelinePane

T0 = 1_795_442_551_000  # ms: Mon 23 Nov 2026, 14:02:31 UTC
SECOND = 1000


class PaperApp(PaneApp):
    """Keeps every message of the paper widgets in ``heard``."""

    def __init__(self, pane: TimelinePane | LogView | QuickLog | EntryEditor | RetractPrompt) -> None:
        super().__init__(pane)
        self.heard: list[Message] = []

    @on(TimelinePane.Asked)
    @on(QuickLog.Submitted)
    @on(QuickLog.Expand)
    @on(QuickLog.Cancelled)
    @on(EntryEditor.Submitted)
    @on(EntryEditor.Closed)
    @on(RetractPrompt.Submitted)
    @on(LogView.RunAsked)
    def hear(self, message: Message) -> None:
        self.heard.append(message)


def entry(
    seq: int,
    text: str = "something happened",
    *,
    at: int | None = None,
    recorded: int | None = None,
    source: Source = Source.PERSON,
    kind: Kind = Kind.NOTE,
    author: str = "tech-lead",
    level: str = "info",
    fold: str | None = None,
    refers_to: str | None = None,
    count: int = 1,
    evidence: dict[str, object] | None = None,
) -> Entry:
    """An entry, ``seq`` seconds after `T0` if not said otherwise."""
    happened = T0 + seq * SECOND if at is None else at
    return Entry(
        id=f"e{seq}",
        incident="INC-20261123-1406-ab3f",
        seq=seq,
        happened_at=happened,
        recorded_at=happened if recorded is None else recorded,
        author=author,
        source=source,
        kind=kind,
        text=text,
        evidence=evidence,
        refers_to=refers_to,
        fold=fold,
        level=level,
        count=count,
        previous_hash="",
        hash="",
    )


def timeline(count: int) -> Timeline:
    """A timeline of ``count`` numbered notes, a second apart."""
    return Timeline(entry(seq, f"note number {seq}") for seq in range(1, count + 1))


def intent(seq: int, title: str = "Restart deployment/payment-service", **fields: Any) -> Entry:
    """An act that has begun."""
    text = f"{title}\nkubectl rollout restart deployment/payment-service -n prod"
    return entry(seq, text, **{"source": Source.MITIGATION, "kind": Kind.MITIGATION, **fields})


def outcome(seq: int, of: str, text: str, level: str, **fields: Any) -> Entry:
    """How it ended."""
    return entry(
        seq, text, **{"source": Source.MITIGATION, "kind": Kind.OUTCOME, "refers_to": of, "level": level, **fields}
    )
