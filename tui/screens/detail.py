"""One thing in full, over the console: what is known of it, what happened to it, and its raw object as YAML."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui import writing
from tui.looking import pods_of
from tui.screens.logs import LogsScreen
from widgets.detail import DetailView
from widgets.plain import ago, clock, plain

if TYPE_CHECKING:
    from probes.cluster import Cluster
    from tui.room import ControlRoom
    from tui.subjects import Subject


class DetailScreen(Screen[None]):
    """Shows what is known at once, and the raw object when the server has answered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", id="detail-back", tooltip="Back to the console"),
        Binding("p", "pin", "pin", id="detail-pin", tooltip="Put this on the timeline, with its raw object"),
        Binding("y", "copy", "copy", id="detail-copy", tooltip="Copy everything shown here (OSC 52)"),
        Binding("l", "logs", "logs", id="detail-logs", tooltip="Its logs"),
    ]

    def __init__(self, host: ControlRoom, subject: Subject) -> None:
        super().__init__()
        self._host = host
        self._subject = subject

    def compose(self) -> ComposeResult:
        yield DetailView(_known(self._subject), title=plain(self._subject.title), remark="what the console knows")

    def on_mount(self) -> None:
        self.query_one(DetailView).focus()
        self._load()

    @work(group="detail", exclusive=True, exit_on_error=False, description="fetches the raw object")
    async def _load(self) -> None:
        text, remark = await _full(self._host, self._subject)
        if text:
            self.query_one(DetailView).show(text, title=plain(self._subject.title), remark=remark)

    def action_leave(self) -> None:
        view = self.query_one(DetailView)
        if view.query_text:
            view.action_clear_query()
        else:
            self.dismiss(None)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.query_one(DetailView).copy_text())
        self._host.tell("copied", timeout=3)

    def action_pin(self) -> None:
        writing.pin(self._host, self._subject)

    def action_logs(self) -> None:
        pods = self._subject.pods or pods_of(self._subject, self._host.feeds.latest)
        if pods and self._host.session.cluster is not None:
            self.app.push_screen(LogsScreen(self._host, self._subject, pods))
        else:
            self._host.tell(f"{plain(self._subject.title)} has no pods whose logs could be followed", "warning")


def _known(subject: Subject) -> str:
    """The facts as YAML-like text; JSON is YAML, and needs no import."""
    if not subject.facts:
        return subject.text
    lines = [f"# {plain(subject.text, 2000)}"]
    lines += [f"{key}: {_value(value)}" for key, value in subject.facts.items()]
    return "\n".join(lines)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def _full(host: ControlRoom, subject: Subject) -> tuple[str, str]:
    """(text, remark): the raw object with its events, an entry with its evidence, a release with its history."""
    from probes.errors import ProbeError

    entry_id = subject.facts.get("id") if subject.title.startswith("entry ") else None
    if isinstance(entry_id, str):
        evidence = await host.journal.evidence(entry_id)
        facts = {key: value for key, value in subject.facts.items() if value not in (None, "")} | {"evidence": evidence}
        if outcomes := host.journal.timeline.outcomes(entry_id):
            facts["outcome_evidence"] = [await host.journal.evidence(outcome.id) for outcome in outcomes]
        return f"# {plain(subject.text, 2000)}\n" + await asyncio.to_thread(_yaml, facts), "the entry as it is on disk"
    if subject.whole:
        text = f"# {plain(subject.text, 2000)}\n" + await asyncio.to_thread(_yaml, subject.facts)
        return text + await _from_azure(host, subject), subject.whole
    cluster = host.session.cluster
    if cluster is None or not subject.kind:
        return "", ""
    try:
        if subject.kind == "Release":
            return await asyncio.to_thread(_yaml, subject.facts), "from the release's Secrets; values are not shown"
        return await _object(host, cluster, subject)
    except ProbeError as error:
        return f"# {plain(str(error), 500)}\n# what was seen last:\n{_known(subject)}", "not from the server"


async def _from_azure(host: ControlRoom, subject: Subject) -> str:
    """What Azure itself has of one of its rows, below what the console knows; empty for everything else."""
    from probes.errors import ProbeError

    account = host.session.azure
    if account is None or "resource_id" not in subject.facts:
        return ""
    from tui.azure_subjects import raw_of

    try:
        raw = await raw_of(account, subject)
    except ProbeError as error:
        return f"# {plain(str(error), 500)}\n"
    return f"# as Azure has it:\n{await asyncio.to_thread(_yaml, raw)}" if raw else ""


async def _object(host: ControlRoom, cluster: Cluster, subject: Subject) -> tuple[str, str]:
    from probes.objects import fetch, to_yaml

    found = await fetch(cluster, subject.kind, subject.namespace, subject.name, managed_fields=False)
    uid = found.get("metadata", {}).get("uid", "")
    parts = [f"# {plain(subject.text, 2000)}"]
    if subject.kind != "Event":
        parts += await _events(host, cluster, subject.namespace, uid)
    parts.append(await asyncio.to_thread(to_yaml, found))
    return "\n".join(parts), "raw object, without managedFields"


async def _events(host: ControlRoom, cluster: Cluster, namespace: str, uid: str) -> list[str]:
    """Its events as comment lines, newest first; kubectl describe's most wanted part."""
    from probes.errors import ProbeError
    from probes.objects import events_of

    try:
        events = await events_of(cluster, namespace, uid)
    except ProbeError as error:
        return [f"# events: {plain(str(error), 300)}"]
    now = host.now()
    newest = sorted(events, key=lambda event: event.last_at, reverse=True)[:20]
    return ["# events:" if newest else "# no events", *(_event_line(event, now, host.local_time) for event in newest)]


def _event_line(event: Any, now: float, local: bool) -> str:
    count = f" × {event.count}" if event.count > 1 else ""
    when = f"{clock(event.last_at, local, now)} ({ago(now - event.last_at)} ago)"
    return f"#   {when}  {event.type}  {plain(event.reason)}  {plain(event.message, 300)}{count}"


def _yaml(facts: dict[str, Any]) -> str:
    from probes.objects import to_yaml

    return to_yaml(facts)
