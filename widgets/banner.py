"""The banner: which incident, for how long, on which cluster, what may be done, and how the platform stands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar

from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from incident.countdown import LOUD
from widgets.banner_state import BannerState, countdown, stopwatch
from widgets.bars import sparkline
from widgets.pieces import Piece, laid_out
from widgets.plain import ago, clock, crop, middle, plain
from widgets.themed import Ink, Inks

WIDE = 120  # cells; from here on there are three rows
_TREND_CELLS = 22


class Banner(Widget):
    """Three rows from `WIDE` cells on, two below. Hand it a `BannerState` with `show`, and the time with `tick`.

    Only rows that read differently are painted again.
    """

    INKS: ClassVar[Mapping[str, Ink]] = {
        "strong": Ink(bold=True),
        "dim": Ink("$foreground 70%"),
        "bad": Ink("$text-error", bold=True),
        "warn": Ink("$text-warning", bold=True),
        "good": Ink("$text-success"),
        "severe": Ink("auto", on="$error", bold=True),
        "moderate": Ink("auto", on="$warning", bold=True),
        "minor": Ink("auto", on="$secondary", bold=True),
        "production": Ink("#ffffff", on="#c8102e", bold=True),
        "environment": Ink("auto", on="$success", bold=True),
        "read-only": Ink("auto", on="$secondary", bold=True),
        "armed": Ink("$text-warning", bold=True),
        "due": Ink("$text-error", bold=True, reverse=True),
        "drill": Ink("auto", on="$accent", bold=True),
    }

    DEFAULT_CSS = """
    Banner {
        height: auto;
        background: $panel;
        &.-production { background: $error 22%; }
    }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id, classes=classes)
        self._state = BannerState()
        self._now = time.time()
        self._local = False
        self._strips: list[Strip] = []
        self.inks = Inks(self, self.INKS)

    # Data in.

    def show(self, state: BannerState, now: float | None = None) -> None:
        """Draws another state; ``now`` as in `tick`, if that is to be told as well."""
        self._state = state
        self._now = self._now if now is None else now
        self.set_class(state.production, "-production")
        self._paint()

    def tick(self, now: float) -> None:
        """A second has passed; ``now`` is in seconds since the epoch."""
        self._now = now
        self._paint()

    @property
    def state(self) -> BannerState:
        return self._state

    @property
    def local_time(self) -> bool:
        return self._local

    @local_time.setter
    def local_time(self, local: bool) -> None:
        self._local = local
        self._paint()

    # Drawing.

    @property
    def wide(self) -> bool:
        return self.size.width >= WIDE

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 3 if width >= WIDE else 2

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips = []
        self.inks.forget()

    def on_resize(self) -> None:
        self._strips = []
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if not self._strips:
            self._strips = self._compose_rows()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    def _paint(self) -> None:
        if not self._strips:
            self.refresh()
            return
        before, self._strips = self._strips, self._compose_rows()
        width = self.size.width
        changed = [y for y, (old, new) in enumerate(zip(before, self._strips, strict=False)) if old != new]
        if len(before) != len(self._strips):
            self.refresh()
        elif changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _compose_rows(self) -> list[Strip]:
        base = self.rich_style
        cells = max(self.size.width, 1)
        if self.wide:
            rows = [self._incident(), self._place(), self._platform()]
        else:
            rows = [self._incident(), [*self._place(), *self._platform()]]
        return [laid_out(row, cells, self.inks.style, base) for row in rows]

    def _incident(self) -> list[Piece]:
        state = self._state
        if not state.open:
            return self._no_incident()
        severity = f" SEV {state.severity} " if state.severity is not None else " SEV ? "
        loud = {1: "severe", 2: "severe", 3: "moderate"}.get(state.severity or 0, "minor")
        title = plain(state.title, 200)
        short_id = plain(state.incident_id).rpartition("-")[0] or plain(state.incident_id)
        worded = f"{severity}{plain(state.severity_word, 20).upper()} " if state.severity_word else severity
        pieces = [Piece((worded, severity), loud)]
        if state.drill:
            pieces.append(Piece((" DRILL ",), "drill", gap=1))
        pieces += [
            Piece((plain(state.incident_id), short_id), "strong", 5),
            Piece(tuple(crop(title, most) for most in (200, 60, 40, 28, 16)), "text", 4),
            Piece((plain(state.status),), "warn", 1, gap=3 if self.wide else 2),
        ]
        if state.opened_at is not None:
            elapsed = stopwatch(self._now - state.opened_at)
            pieces.append(Piece((f"open {elapsed}", elapsed), "text", 2))
        if state.next_update_at is not None:
            pieces.append(self._next_update(state.next_update_at - self._now))
        people = [(plain(role, 20), plain(who, 40)) for role, who in state.roles]
        lengths = (40, 16, 8)
        told = tuple(" · ".join(f"{role} {crop(who, most)}" for role, who in people) for most in lengths)
        pieces.append(Piece((*told, told[-1].split(" · ")[0]), "dim", 6, gap=3))
        return pieces

    def _next_update(self, left: float) -> Piece:
        """Quiet while there is time; then marked and reversed, so that it is seen without its colour."""
        if left < 0:
            late = countdown(-left)
            return Piece((f" ! UPDATE OVERDUE {late} ", f" ! OVERDUE {late} "), "due", 0, gap=3)
        soon = countdown(left)
        if left <= LOUD:
            return Piece((f" ! next update in {soon} ", f" ! upd {soon} "), "due", 0, gap=3)
        return Piece((f"next update in {soon}", f"upd {soon}"), "strong", 3, gap=3)

    def _no_incident(self) -> list[Piece]:
        state = self._state
        if state.relapse:
            relapse = plain(state.relapse, 200)
            return [
                Piece(tuple(f" ✗ RELAPSE: {crop(relapse, most)} " for most in (200, 100, 60, 40, 24)), "severe", 0),
                Piece((f"{plain(state.card_key, 12)} reopens", plain(state.card_key, 12)), "strong", 1, gap=2),
                Piece((plain(state.incident_id),), "dim", 3, gap=3),
                Piece((f"{plain(state.declare_key, 12)} declares another",), "dim", 5, gap=3),
            ]
        pieces = [Piece(("No incident open", "No incident"), "strong")]
        if state.incident_id:
            when = f" {ago(self._now - state.changed_at)} ago" if state.changed_at is not None else ""
            ended = f"{plain(state.incident_id)} {plain(state.status)}{when}"
            pieces.append(Piece((f"last {ended}", ended), "dim", 3, gap=3))
            pieces.append(Piece((plain(state.title, 80),), "dim", 4))
        pieces.append(Piece((f"{plain(state.declare_key, 12)} declares one",), "text", 1, gap=3))
        return pieces

    def _place(self) -> list[Piece]:
        state = self._state
        word = plain(state.environment, 24).upper() if state.production else plain(state.environment, 24)
        pieces = []
        if word:
            pieces.append(Piece((f" {word} ",), "production" if state.production else "environment"))
        context, namespace = plain(state.context, 120), plain(state.namespace, 120)
        wheres = tuple(
            " · ".join(filter(None, (middle(context, most), middle(namespace, most)))) for most in (120, 24, 18, 13)
        )
        pieces.append(Piece(wheres, "text", 2))
        if state.version:
            pieces.append(Piece((f"k8s {plain(state.version, 24).removeprefix('v')}",), "dim", 8, gap=3))
        if state.drill and not state.open:
            pieces.append(Piece((" DRILL ",), "drill"))
        if state.read_only:
            pieces.append(Piece((" READ-ONLY ",), "read-only", 0))
        elif state.armed_until is not None and state.armed_until > self._now:
            pieces.append(Piece((f"ARMED {countdown(state.armed_until - self._now)}",), "armed", 0, gap=3))
        elif state.disarmed:
            pieces.append(Piece((f"disarmed ({plain(state.arm_key, 8)} arms)", "disarmed"), "dim", 5, gap=3))
        pieces.append(self._freshness())
        pieces.append(Piece(self._clock(), "text", 4, gap=3))
        return pieces

    def _freshness(self) -> Piece:
        state = self._state
        parts = [f"probes {state.probes_live} live", f"{state.probes_stale} stale"]
        if state.probes_other:
            parts.append(f"{state.probes_other} without data")
        if state.probes_stale or state.probes_other:
            troubled = " · ".join(parts)
            mark = "!" if state.probes_stale else "○"
            short = f"! {state.probes_stale} stale" if state.probes_stale else f"○ {state.probes_other} not live"
            return Piece((f"{mark} {troubled}", short), "warn" if state.probes_stale else "dim", 1, gap=3)
        return Piece((" · ".join(parts),) if state.probes_live else ("",), "dim", 7, gap=3)

    def _clock(self) -> tuple[str, ...]:
        utc, local = clock(self._now), clock(self._now, local=True)
        if utc == local:
            return f"{utc} UTC", f"{utc[:5]}Z"
        if self._local:
            return f"{local} local ({utc} UTC)", f"{local} local", local[:5]
        return f"{utc} UTC (local {local})", f"{utc} UTC", f"{utc[:5]}Z"

    def _platform(self) -> list[Piece]:
        state = self._state
        pieces: list[Piece] = []
        if state.trouble:
            trouble = f" ✗ NOT IN THE STORE: {plain(state.trouble, 300)} "
            pieces.append(
                Piece((*(crop(trouble, most) for most in (300, 150, 100, 60)), " ✗ NOT STORED "), "severe", 0)
            )
        if state.pods is not None and state.unhealthy is not None:
            sick = state.unhealthy > 0
            said = f"unhealthy {state.unhealthy:,} of {state.pods:,} pods", f"✗ {state.unhealthy:,}/{state.pods:,}"
            fine = f"all {state.pods:,} pods healthy", f"✓ {state.pods:,}"
            pieces.append(Piece(said if sick else fine, "bad" if sick else "good", 3, gap=3))
        if state.unhealthy_trend and self.wide:
            style = "bad" if state.unhealthy else "dim"
            pieces.append(Piece((sparkline(state.unhealthy_trend, _TREND_CELLS).lstrip(),), style, 6, gap=3))
        if state.nodes is not None:
            pieces += self._node_pieces(state.nodes)
        if state.errors_per_minute is not None:
            rate = f"{state.errors_per_minute:.0f}/min"
            pieces.append(Piece((f"error events {rate}",), "text" if state.errors_per_minute else "dim", 7, gap=3))
        return [*pieces, *self._suspect()]

    def _suspect(self) -> list[Piece]:
        """What changed shortly before it all began; its key tells more."""
        state = self._state
        if not state.suspect:
            return []
        what, key = plain(state.suspect, 80), plain(state.diagnose_key, 12)
        said = f"suspect {crop(what, 40)}"
        brief = f"◆ {crop(what.replace('revision', 'rev'), 14)}"
        return [Piece((f"{said}, {state.suspect_before} before ({key})", said, brief), "strong", 3, gap=3)]

    def _node_pieces(self, total: int) -> list[Piece]:
        state, pieces = self._state, []
        if state.not_ready:
            said = f"{state.not_ready:,} of {total:,} nodes not ready", f"✗ {_nodes(state.not_ready)}"
            pieces.append(Piece(said, "bad", 4, gap=3))
        if state.pressured:
            said = f"{state.pressured:,} of {total:,} nodes under pressure", f"! {_nodes(state.pressured)}"
            pieces.append(Piece(said, "warn", 5, gap=3))
        if not pieces:
            pieces.append(Piece((f"{total:,} nodes fine",), "dim", 8, gap=3))
        return pieces


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count:,} nodes"
