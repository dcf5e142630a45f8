"""How this platform responds to an incident: what the runbook file says besides its mitigations. Types only.

`runbook.playbook` has the mitigations' defaults; `runbook.response_file` reads all of this from YAML.
Durations are seconds. ``id`` fields are lower-case words joined by dashes, unique within their list.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

Fact = Literal["service_down", "customer_impact", "degraded", "complaints"]
"""What the decision matrix asks. Answers are yes, no, or not known yet."""

FACTS: tuple[Fact, ...] = ("service_down", "customer_impact", "degraded", "complaints")

Notified = Literal["yes", "no", "judge"]
"""Of a party at a severity: is told, is not told, or somebody must judge (the matrix's ⚠️)."""

ChannelKind = Literal["slack", "teams", "pagerduty", "email", "webhook", "apprise", "statuspage", "servicenow", "jira"]

Signal = Literal[
    "endpoints-healthy",  # every configured health endpoint answers as expected
    "pods-ready",  # every pod that should be ready is
    "errors-gone",  # no warning event for `errors_gone_for`
    "rollouts-complete",  # every deployment has what it desires, updated and ready
    "usage-normal",  # no node under pressure or near its limits
    "releases-deployed",  # no Helm release failed or pending
]
"""What a probe can know, so that a checklist's item ticks itself."""


class SeverityLevel(Struct, frozen=True, kw_only=True):
    """One severity. ``level`` 1 is the worst. ``update_every`` is the longest time between two status updates."""

    level: int
    name: str  # Critical
    headline: str  # Business Impacting
    definition: str
    examples: tuple[str, ...] = ()
    notify: str = ""  # whom, in the runbook's words
    response: str = ""  # how fast, in the runbook's words
    updates: str = ""  # how often, in the runbook's words
    detect_within: float | None = None
    respond_within: float | None = None
    resolve_within: float | None = None
    update_every: float = 3600.0
    first_update_within: float = 300.0


class MatrixRow(Struct, frozen=True, kw_only=True):
    """``words`` as the runbook has them; the row applies when every fact in ``when`` has that answer."""

    words: str
    when: dict[Fact, bool]
    severity: int


class Role(Struct, frozen=True, kw_only=True):
    """``core`` roles are taken and handed over in the console; the others are on call."""

    id: str
    name: str
    short: str  # IC: for the banner, at most 5 characters
    does: str = ""
    responsibilities: tuple[str, ...] = ()
    primary: str = ""
    backup: str = ""
    availability: str = ""
    core: bool = True


class Party(Struct, frozen=True, kw_only=True):
    """A column of the notification matrix. ``notified`` by severity; a severity that is not named is "no"."""

    id: str
    name: str
    notified: dict[int, Notified]


class Channel(Struct, frozen=True, kw_only=True):
    """Where status updates go. It holds no secret: ``env`` names the environment variables that do, by what for.

    ``severities`` for which it is used; empty: by ``parties`` alone. ``parties`` are ids whom it reaches: it is used
    when the matrix says one of them is told. ``options`` are the adapter's, checked by it (server, project, from, …).
    """

    id: str
    name: str
    kind: ChannelKind
    env: dict[str, str] = field(default_factory=dict)
    severities: tuple[int, ...] = ()
    parties: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)


LookAt = Literal[
    "pods", "nodes", "services", "changes", "events", "databases", "logs", "version", "connectivity", "sql"
]  # fmt: skip
Language = Literal["", "bash", "sql", "yaml"]
Asks = Literal["", "service-responding", "pods-running", "errors-in-logs"]
When = Literal["respond", "resolve", "after", "review"]


class Look(Struct, frozen=True, kw_only=True):
    """A step that the console can take by looking: it never writes.

    ``what``: "pods", "nodes", "services", "changes", "events", "databases" jump to that pane and record what it shows;
    "logs" reads a workload's log, "version" asks the API server, "connectivity" plans the exec check, "sql" asks the
    SQL server of the settings.
    ``of``: the workload or label value it is about; empty: what is selected, or everything. Of a query: "primary" where
    it has to be asked where the writing is done, and not of a readable replica.
    """

    what: LookAt
    of: str = ""


class Step(Struct, frozen=True, kw_only=True):
    """One step of a phase or scenario. ``text`` and ``code`` as the runbook has them.

    ``query`` is the SQL that a look asks, where the runbook's own ``code`` is not what a server can answer.
    ``look`` runs it here; ``mitigation`` (an id of the table, or of a command of the file) starts that plan; with
    neither it is done elsewhere and ticked by hand.
    """

    id: str
    text: str
    code: str = ""
    language: Language = ""
    query: str = ""
    notes: tuple[str, ...] = ()
    look: Look | None = None
    mitigation: str = ""


class Section(Struct, frozen=True, kw_only=True):
    """Steps under a heading of the runbook: "Investigation Steps", "Containment"."""

    title: str
    steps: tuple[Step, ...]


class Phase(Struct, frozen=True, kw_only=True):
    id: str
    title: str
    window: str = ""  # 0-5 minutes
    sections: tuple[Section, ...] = ()


Symptom = Literal[
    "all-endpoints-failing",  # every health endpoint fails, or every one with 5xx
    "endpoint-failing",
    "nodes-not-ready",
    "api-unreachable",
    "pods-crashing",
    "pods-pending",
    "rollout-stuck",
    "slow-endpoints",
    "database-timeouts",  # timeouts of a database in events or log lines that were read
    "database-at-limit",  # a database that is watched is near a limit of its own: load, workers, sessions, storage
    "database-unavailable",  # a database that is watched is not online
    "auth-anomalies",
    "quarantined-pods",
]
"""What the diagnosis can see from the probes, and by which a scenario is recognised."""


class Scenario(Struct, frozen=True, kw_only=True):
    """A common incident scenario. ``fits`` are symptoms that speak for it, with their weight (1 to 10).

    ``services``: names (globs) of workloads that make a symptom speak for this scenario in particular; empty: any.
    """

    id: str
    number: int
    title: str
    symptoms: str
    causes: str = ""
    impact: str = ""
    fits: dict[Symptom, int] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    security: bool = False
    sections: tuple[Section, ...] = ()


class Item(Struct, frozen=True, kw_only=True):
    """One item of a checklist. ``signal``: a probe ticks it.

    It is for incidents of one of ``severities`` or in one of ``scenarios``; with neither it is for all.
    """

    id: str
    text: str
    signal: Signal | None = None
    severities: tuple[int, ...] = ()
    scenarios: tuple[str, ...] = ()


class Checklist(Struct, frozen=True, kw_only=True):
    """``when``: "respond" while it is open, "resolve" before resolving, "after" it, "review" at the review."""

    id: str
    title: str
    when: When
    items: tuple[Item, ...]


class Question(Struct, frozen=True, kw_only=True):
    """A node of the investigation framework (the runbook's flowchart).

    ``asks`` is what the diagnosis evaluates; ``yes`` and ``no`` are ids of other nodes, empty at a leaf. A node without
    ``asks`` is a thing to do ("Check Infrastructure"): it leads to ``next``.
    """

    id: str
    text: str
    asks: Asks = ""
    yes: str = ""
    no: str = ""
    next: str = ""
    pane: str = ""  # where its evidence is: pods, nodes, services, events, changes, databases


class Extra(Struct, frozen=True, kw_only=True):
    """A passage of the runbook that is read and not carried out: tools, emergency access, metrics, improvement."""

    title: str
    lines: tuple[str, ...]


class Response(Struct, frozen=True, kw_only=True):
    """The whole. ``templates`` by id are Jinja2 texts: "status-update", "review", "customer-update".

    ``errors_gone_for``: seconds without a warning event before errors count as gone. ``watch_for``: seconds after
    resolution during which a relapse is reported.
    """

    name: str
    severities: tuple[SeverityLevel, ...]
    matrix: tuple[MatrixRow, ...] = ()
    roles: tuple[Role, ...] = ()
    parties: tuple[Party, ...] = ()
    channels: tuple[Channel, ...] = ()
    phases: tuple[Phase, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    checklists: tuple[Checklist, ...] = ()
    framework: tuple[Question, ...] = ()
    templates: dict[str, str] = field(default_factory=dict)
    extras: tuple[Extra, ...] = ()
    services: dict[str, bool] = field(default_factory=dict)  # workload name (glob) → whether it is critical
    errors_gone_for: float = 600.0
    watch_for: float = 7200.0

    def severity(self, level: int | None) -> SeverityLevel | None:
        return next((one for one in self.severities if one.level == level), None)
