"""An app with nothing but panes, rows to feed them, and the screen as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.widget import Widget

from probes.freshness import Freshness, Snapshot, State
from probes.rows import Container, Health, Owner, Pod
from tests import parsed_once, settled  # noqa: F401 (every app starts quicker, and keys are heard)
from widgets.table import TablePane

NOW = 1_795_443_644.0  # Mon 23 Nov 2026, 14:20:44 UTC
PROD = "banking-platform-prod"


class PaneApp(App[None]):
    """One pane that fills the screen; what it tells is kept in ``told``."""

    def __init__(self, pane: Widget) -> None:
        super().__init__()
        self.pane = pane
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.focus()

    def on_table_pane_opened(self, message: TablePane.Opened) -> None:
        self.told.append(f"opened {message.key}")

    def on_table_pane_selected(self, message: TablePane.Selected) -> None:
        self.told.append(f"selected {message.key}")

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, part: str) -> str:
        """The only line that contains ``part``."""
        (found,) = (line for line in self.lines if part in line)
        return found

    def widths(self) -> set[int]:
        return {cell_len(strip.text) for strip in self.screen._compositor.render_strips()}


def clocked(pane: TablePane[Any]) -> PaneApp:
    """An app with this pane, for which it is always `NOW` until it is ticked."""
    pane.clock_now = lambda: NOW
    return PaneApp(pane)


def snapshot(
    source: str,
    rows: Iterable[Any] = (),
    *,
    state: State = State.LIVE,
    detail: str = "",
    hint: str = "",
    confirmed: float | None = NOW,
    version: int = 1,
    changed: frozenset[str] | None = None,
) -> Snapshot[Any]:
    freshness = Freshness(state, NOW, confirmed, detail, hint)
    return Snapshot(source, freshness, {row.key: row for row in rows}, version, changed)


def pod(
    name: str,
    owner: str = "",
    status: str = "Running",
    *,
    namespace: str = PROD,
    kind: str = "Deployment",
    restarts: int = 0,
    node: str = "aks-system-00000",
    age: float = 1080,
    unready_for: float | None = None,
    exit_code: int | None = None,
    message: str = "",
) -> Pod:
    """A pod that is well, unless its status or ``unready_for`` say otherwise. Its key is ``uid-NAME``."""
    health = {"Running": Health.HEALTHY, "Completed": Health.DORMANT}.get(status, Health.FAILING)
    if status == "Running" and unready_for is not None:
        health = Health.DEGRADED
    ready = health is Health.HEALTHY
    container = Container(
        name="app", role="app", image="app:1", ready=ready, state="running", restarts=restarts, last_exit_code=exit_code
    )
    return Pod(
        uid=f"uid-{name}",
        namespace=namespace,
        name=name,
        resource_version="1",
        status=status,
        phase="Succeeded" if health is Health.DORMANT else "Running",
        health=health,
        ready=int(ready),
        total=1,
        restarts=restarts,
        restarted_at=None,
        unready_since=None if ready else NOW - (age if unready_for is None else unready_for),
        node=node,
        ip="10.0.0.1",
        created_at=NOW - age,
        deleting_since=None,
        owner=Owner(kind, owner) if owner else None,
        app="",
        containers=(container,),
        message=message,
    )
