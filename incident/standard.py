"""What an incident is measured against: targets by severity, the review's questions, the names of roles and channels.

The runbook file says it where there is one; `NEUTRAL` is the standard of everybody else. Plain values only, so that
exports and metrics need not know what a runbook file is. Durations are seconds.
"""

from __future__ import annotations

from msgspec import Struct, field

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


class Level(Struct, frozen=True, kw_only=True):
    """A severity, 1 the worst. ``…_within``: after how long a target is missed, None where there is no target.

    ``update_every`` is the longest time between two status updates, ``first_update_within`` that before the first.
    """

    level: int
    name: str
    detect_within: float | None = None
    respond_within: float | None = None
    resolve_within: float | None = None
    update_every: float = _HOUR
    first_update_within: float = 5 * _MINUTE


class Topic(Struct, frozen=True, kw_only=True):
    """A section of the review that people fill: a heading, and questions below it (none: the heading asks)."""

    title: str
    questions: tuple[str, ...] = ()


class Check(Struct, frozen=True, kw_only=True):
    """An item of a checklist, by the IDs that its ticks have. Of ``severities`` or ``scenarios`` only; none: of all."""

    list: str
    item: str
    text: str
    severities: tuple[int, ...] = ()
    scenarios: tuple[str, ...] = ()

    def concerns(self, severity: int | None, scenario: str = "") -> bool:
        """Whether an incident has it; one that nobody has classified has the items of every severity."""
        if not self.severities and not self.scenarios:
            return True
        rated = bool(self.severities) and (severity is None or severity in self.severities)
        return rated or scenario in self.scenarios


class Standard(Struct, frozen=True, kw_only=True):
    """``topics`` are asked in their order; ``mandatory`` are the items that every review ticks.

    ``resolution`` are the items to be settled before an incident is resolved, those of single scenarios apart;
    ``others`` are all items of the other checklists.

    ``roles``, ``channels`` and ``checklists`` give names to the IDs on the timeline; an unknown ID is its own name.
    """

    levels: tuple[Level, ...]
    topics: tuple[Topic, ...]
    mandatory: tuple[str, ...]
    resolution: tuple[Check, ...] = ()
    others: tuple[Check, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    checklists: dict[str, str] = field(default_factory=dict)

    def level(self, severity: int | None) -> Level | None:
        return next((one for one in self.levels if one.level == severity), None)

    def checklist(self, name: str) -> str:
        """What a checklist or guide is called."""
        return self.checklists.get(name) or name.replace("-", " ").capitalize()

    def severity_words(self, severity: int | None) -> str:
        """``2 (High)``; ``not classified``."""
        if severity is None:
            return "not classified"
        level = self.level(severity)
        return f"{severity} ({level.name})" if level is not None and level.name else str(severity)


# The runbook: "Severity Levels" and "Response Time Targets", "Post-Incident Review".
NEUTRAL = Standard(
    levels=(
        Level(
            level=1,
            name="Critical",
            detect_within=5 * _MINUTE,
            respond_within=5 * _MINUTE,
            resolve_within=2 * _HOUR,
            update_every=15 * _MINUTE,
        ),
        Level(
            level=2,
            name="High",
            detect_within=15 * _MINUTE,
            respond_within=15 * _MINUTE,
            resolve_within=8 * _HOUR,
            update_every=30 * _MINUTE,
        ),
        Level(
            level=3,
            name="Medium",
            detect_within=30 * _MINUTE,
            respond_within=30 * _MINUTE,
            resolve_within=_DAY,
            update_every=_HOUR,
        ),
        Level(
            level=4,
            name="Low",
            detect_within=_HOUR,
            respond_within=4 * _HOUR,
            resolve_within=7 * _DAY,
            update_every=_DAY,
        ),
    ),
    topics=(
        Topic(title="Root Cause Analysis", questions=("What Happened?", "Why Did It Happen?", "Contributing Factors")),
        Topic(title="Response Evaluation", questions=("What Went Well?", "What Could Be Improved?")),
        Topic(title="Lessons Learned", questions=("Technical Lessons", "Process Lessons", "Communication Lessons")),
    ),
    mandatory=(
        "Root cause analysis completed",
        "Timeline accuracy verified",
        "Impact assessment documented",
        "Response effectiveness evaluated",
        "Communication effectiveness reviewed",
    ),
    roles={
        "ic": "Incident Commander",
        "technical-lead": "Technical Lead",
        "communications": "Communications Lead",
        "scribe": "Scribe",
    },
)
