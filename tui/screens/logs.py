"""The logs of one pod or of a whole workload, over the console: followed, searched, pinned, copied."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui import writing
from tui.looking import LogPods, pods_of
from widgets.log_view import LogView
from widgets.plain import plain

if TYPE_CHECKING:
    from tui.room import ControlRoom
    from tui.subjects import Subject

NEW_PODS_EVERY = 2.0
"""Seconds between two looks for pods that a rollout brought while the log is open."""


class LogsScreen(Screen[None]):
    """Follows every container of ``pods``. What goes wrong is a line of the log itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", id="logs-back", tooltip="Back to the console"),
        Binding("p", "pin", "pin", id="logs-pin", tooltip="Put this line on the timeline, at the time it was logged"),
        Binding("y", "copy", "copy", id="logs-copy", tooltip="Copy this line to your clipboard (OSC 52)"),
    ]

    def __init__(self, host: ControlRoom, subject: Subject, pods: LogPods) -> None:
        super().__init__()
        self._host = host
        self._subject = subject
        self._pods = pods

    def compose(self) -> ComposeResult:
        yield LogView(plain(self._subject.title), local_time=self._host.local_time, id="log-view")

    def on_mount(self) -> None:
        self.query_one(LogView).focus()
        self._follow(previous=False)

    @work(group="logs", exclusive=True, exit_on_error=False, description="follows logs")
    async def _follow(self, previous: bool) -> None:
        from probes.logs import LogSource

        view = self.query_one(LogView)
        view.begin(plain(self._subject.title), previous=previous)
        name, diagnosing = self._subject.name or self._subject.title, self._host.diagnosing
        diagnosing.read_anew(name)
        cluster = self._host.session.cluster
        if cluster is None:
            return
        namespace = self._pods[0][0]
        source = LogSource(cluster, namespace, _targets(self._pods), previous)
        joining = asyncio.create_task(self._join(source)) if not previous else None
        batches = source.follow()
        try:
            async for batch in batches:
                view.append(batch)
                diagnosing.read(name, batch)
        finally:
            if joining is not None:
                joining.cancel()
            await batches.aclose()

    async def _join(self, source: object) -> None:
        """Pods that appear while the log is open are followed too."""
        from probes.logs import LogSource

        assert isinstance(source, LogSource)
        if self._subject.kind in ("Pod", "Event"):
            return
        while True:
            await asyncio.sleep(NEW_PODS_EVERY)
            source.add(_targets(pods_of(self._subject, self._host.feeds.latest)))

    @on(LogView.RunAsked)
    def _run_asked(self, event: LogView.RunAsked) -> None:
        event.stop()
        self._follow(event.previous)

    def action_leave(self) -> None:
        view = self.query_one(LogView)
        if view.query_text:
            view.action_clear_query()
        else:
            self.dismiss(None)

    def action_copy(self) -> None:
        text = self.query_one(LogView).copy_text()
        if text:
            self.app.copy_to_clipboard(text)
            self._host.tell(f"copied: {plain(text, 80)}", timeout=3)

    @work(group="writing", exit_on_error=False, description="pins a log line")
    async def action_pin(self) -> None:
        line = self.query_one(LogView).selected
        if line is None:
            return
        trouble = await writing.pin_log_line(self._host, f"{line.pod}/{line.container}", line.text, line.at)
        if trouble:
            self._host.tell(f"not pinned: {trouble}", "error")
        else:
            self._host.tell(f"pinned: {plain(line.text, 80)}", timeout=3)


def _targets(pods: LogPods) -> list[tuple[str, str]]:
    return [(pod, container) for _, pod, containers in pods for container in containers]
