"""What was changed, by whom, and how long before the first symptom: Helm revisions, commits and Azure's activity log
on one axis of time, with the alerts that are fired.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from probes.freshness import Snapshot, State
from probes.rows import Commit, Release, Revision
from widgets.columns import EMPTY, Cell, Column
from widgets.plain import clock, plain
from widgets.table import TablePane
from widgets.table_data import FILTER_LIMIT
from widgets.table_rows import Placed, Sort
from widgets.table_standing import remark, seconds_ago
from widgets.table_view import Filter

if TYPE_CHECKING:
    from probes.azure.rows import Activity, FiredAlert

_NOW = 1e12  # an alert that does not say since when it is fired is fired now
_BAD = ("failed", "pending-install", "pending-upgrade", "pending-rollback")


class Change(NamedTuple):
    """One change: a revision of a release, a commit, an operation in Azure; or an alert. ``item`` is its own row.

    ``quiet``: it changed nothing and is only shown to who filters. ``candidate``: it may be the cause of something.
    """

    key: str
    at: float | None
    source: str
    system: str  # helm, commit, azure, alert
    what: str
    subject: str
    author: str
    bad: bool
    item: Release | Commit | Activity | FiredAlert
    revision: int | None
    quiet: bool = False
    candidate: bool = True


_NARROW = 56  # cells, of the pane


def _columns(*, what: int, subject: int, by: int) -> tuple[Column, ...]:
    """At least so many cells of what was changed and of its subject, and at most so many of by whom."""
    return (
        Column("TIME", 8, 9),
        Column("BEFORE", 6, 7, "right"),
        Column("WHAT", what, 40, shrink=2),
        Column("", subject, grow=1, shrink=3, drop=2),
        Column("BY", 8, by, drop=3, shrink=1),
    )


class ChangesPane(TablePane[Change]):
    """Changes, newest first. Sources: ``releases``, ``commits``; where ``azure`` is set ``activity`` and ``alerts``.

    Set ``first_symptom`` (seconds since the epoch, or None) and every change says how long before it that was; the
    newest one before it, the first suspect, stands out, or the one that `accuse` names.
    """

    NAME = "Changes"
    ORDER = "newest first"
    SOURCES = ("releases", "commits", "activity", "alerts")
    ROW_SOURCES = ("releases", "commits", "activity", "alerts")
    COLUMNS = _columns(what=20, subject=10, by=20)
    # Operations have longer names than revisions, and callers than authors; the subject must not pay for it.
    AZURE_COLUMNS = _columns(what=20, subject=14, by=13)
    # Where there is no room for that, a piece of everything says more than all of one.
    NARROW_COLUMNS = _columns(what=14, subject=8, by=13)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.azure = False  # whether Azure is looked at; without it nothing is said of its sources
        self._first_symptom: float | None = None
        self._suspect = ""
        self._accused = ""
        self._of_item: dict[str, set[str]] = {}

    def columns(self) -> tuple[Column, ...]:
        if 0 < self.size.width < _NARROW:
            return self.NARROW_COLUMNS
        return self.AZURE_COLUMNS if self.azure else self.COLUMNS

    @property
    def first_symptom(self) -> float | None:
        return self._first_symptom

    @first_symptom.setter
    def first_symptom(self, at: float | None) -> None:
        if at != self._first_symptom:
            self._first_symptom = at
            self._find_suspect()
            self.settle()

    def accuse(self, symptom: float | None, key: str) -> None:
        """The first symptom, and the key of the change suspected most; empty: none is, so the newest before it is."""
        if key != self._accused:
            self._accused = key
            self._find_suspect()
            self.settle()
        self.first_symptom = symptom

    def merge(self, source: str, snapshot: Snapshot[Any], changed: Iterable[str]) -> None:
        puts: dict[str, Placed[Change]] = {}
        drops: set[str] = set()
        for item_key in changed:
            origin = f"{source}:{item_key}"
            drops |= self._of_item.pop(origin, set())
            item = snapshot.rows.get(item_key)
            if item is None:
                continue
            changes = _changes(source, item)
            self._of_item[origin] = {change.key for change in changes}
            puts |= {change.key: Placed(self.order_of(change), change) for change in changes}
        self.put(puts, drops - puts.keys())
        self._find_suspect()

    def _find_suspect(self) -> None:
        symptom = self._first_symptom
        if symptom is not None and self._accused in self._placed:
            self._suspect = self._accused
            return
        before = (
            [
                (placed.row.at, key)
                for key, placed in self._placed.items()
                if placed.row.candidate and (placed.row.at or symptom) < symptom
            ]
            if symptom is not None
            else []
        )
        self._suspect = max(before, key=lambda change: (change[0] or 0.0, change[1]))[1] if before else ""

    @property
    def suspect(self) -> Change | None:
        """The change that stands out; None while there is no symptom, or no change before it."""
        return self.row_of(self._suspect) if self._suspect else None

    def order_of(self, row: Change) -> Sort:
        at = _NOW if row.at is None and row.system == "alert" else row.at or 0.0
        return (-at, -(row.revision or 0), row.what)

    def admits(self, key: str, row: Change) -> bool:
        return self._row_filter.admits(self.text_of(key, row)) if self._row_filter.text else not row.quiet

    def filter_by(self, text: str) -> None:
        """A word that goes on is only looked for in what is shown: an activity log has ten thousand rows."""
        before, self._row_filter = self._row_filter, Filter(plain(text, FILTER_LIMIT))
        if self._row_filter.narrows(before):
            self.viewport.rows.keep(self.admits)
            self.viewport.settle()
        else:
            self.reselect()

    def search_text(self, row: Change) -> str:
        return f"{row.system} {row.what} {row.subject} {row.author}"  # no time: there may be thousands of rows

    def source_of(self, row: Change) -> str:
        return row.source

    def varying(self, row: Change, now: float) -> object:
        time = "" if row.at is None else clock(row.at, self.local_time, now)
        return time, self._first_symptom, row.key == self._suspect

    def cells(self, row: Change, now: float) -> tuple[Cell, ...]:
        symptom = self._first_symptom
        before = symptom is not None and row.at is not None and row.at < symptom
        style = "failing" if row.key == self._suspect else "degraded" if row.bad else "text" if before else "dim"
        quiet = "strong" if row.key == self._suspect else "dim" if style == "dim" else "text"
        return (
            Cell("–" if row.at is None else clock(row.at, self.local_time, now), quiet),
            Cell(seconds_ago(symptom - row.at), style) if before and symptom and row.at else EMPTY,
            Cell(f"{row.system:<6} {row.what}", style),
            Cell(row.subject, quiet),
            Cell(row.author, "dim"),
        )

    def summary(self) -> str:
        if self._first_symptom is not None:
            return "time before the first symptom"
        return ""

    def remarks(self) -> tuple[str, ...]:
        names = {"releases": "helm", "commits": "git"} | ({"activity": "azure"} if self.azure else {})
        beside = [("commits", "git"), *((("activity", "azure"), ("alerts", "azure alerts")) if self.azure else ())]
        told = [remark(called, self.freshness_of(source), self.now) for source, called in beside]
        live = [name for source, name in names.items() if self.freshness_of(source).state is State.LIVE]
        return (*filter(None, told), *(live if len(live) == len(names) else ()))

    def _telling_sources(self) -> list[str]:
        rows = self.ROW_SOURCES if self.azure else self.ROW_SOURCES[:2]
        return [source for source in rows if not self.freshness_of(source).live] or list(rows)

    def empty_sentence(self) -> str:
        nothing = "no Helm release, no commit and nothing in Azure" if self.azure else "no Helm release and no commit"
        return " ".join(filter(None, (nothing, self.where)))


def _changes(source: str, item: Any) -> list[Change]:
    if source == "commits":
        return [_commit(item)]
    if source == "releases":
        return _revisions(item)
    from widgets.azure_changes import activity_change, alert_change

    return [activity_change(item) if source == "activity" else alert_change(item)]


def _revisions(release: Release) -> list[Change]:
    history = release.history or (_newest(release),)
    return [_revision(release, revision) for revision in history]


def _newest(release: Release) -> Revision:
    return Revision(
        number=release.revision,
        status=release.status,
        updated=release.updated,
        secret="",
        chart=release.chart,
        chart_version=release.chart_version,
        app_version=release.app_version,
        description=release.description,
    )


def _revision(release: Release, revision: Revision) -> Change:
    chart = "-".join(filter(None, (revision.chart, revision.chart_version)))
    back = f" ← rev {revision.rollback_to}" if revision.rollback_to else ""
    words = (release.name, chart, revision.app_version and f"app {revision.app_version}", revision.description)
    return Change(
        key=f"helm:{release.namespace}/{release.name}/{revision.number}",
        at=revision.updated,
        source="releases",
        system="helm",
        what=plain(f"rev {revision.number} {revision.status}{back}", 80),
        subject=plain("  ".join(filter(None, words))),
        author="",  # Helm does not keep it
        bad=revision.status in _BAD,
        item=release,
        revision=revision.number,
    )


def _commit(commit: Commit) -> Change:
    return Change(
        key=f"git:{commit.commit}",
        at=commit.at,
        source="commits",
        system="commit",
        what=plain(commit.commit[:7]),
        subject=plain(commit.subject),
        author=plain(commit.author, 80),
        bad=False,
        item=commit,
        revision=None,
    )
