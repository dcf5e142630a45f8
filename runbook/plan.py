"""A mitigation as data, before it is an act: what was aimed at, what would change, what speaks against it.

All of it is frozen and has a JSON form, because it is shown, confirmed, recorded, and looked at again after a crash.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct, field

Json = dict[str, Any]


class Aim(Struct, frozen=True, kw_only=True):
    """What the person pointed at when the key was pressed. The row may move afterwards, this does not.

    ``kind`` is Kubernetes' (Pod, Deployment, Node …) or ``Release`` for Helm's; empty for what has none (a commit).
    ``uid`` is the row's, empty where the row has none (a workload gathered from its pods, a release).
    ``owner_kind``, ``owner_name`` are the workload that a pod belongs to, ``release`` the Helm release of a workload.
    ``revision`` is the revision of a release's row in the changes pane, 0 otherwise.
    """

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    owner_kind: str = ""
    owner_name: str = ""
    release: str = ""
    revision: int = 0
    pods: tuple[str, ...] = ()  # names, as the panes knew them

    def __str__(self) -> str:
        return _spoken(self.kind, self.name) if self.kind else self.name or "nothing"


class Target(Struct, frozen=True, kw_only=True):
    """The one object a plan is about, as the server had it when the plan was made.

    ``digest`` covers what the plan relies on (the spec, not the status): if it differs later, the plan is void.
    """

    context: str
    server: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    digest: str = ""

    @property
    def key(self) -> str:
        """One plan at a time runs on this."""
        return f"{self.server} {self.kind} {self.namespace}/{self.name}"

    def __str__(self) -> str:
        return _spoken(self.kind, self.name)


def _spoken(kind: str, name: str) -> str:
    """``deployment/payment-service`` as kubectl has it; what is none of Kubernetes' without its ``Sql``."""
    return f"{kind.removeprefix('Sql').lower()}/{name}"


class Need(Struct, frozen=True):
    """One permission that an act needs. ``group`` and ``namespace`` are empty for the core group and the cluster."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        name = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        name = f"{name}.{self.group}" if self.group else name
        return f"{self.verb} {name} in namespace {self.namespace}" if self.namespace else f"{self.verb} {name}"


class Level(StrEnum):
    """Green says that something is as it should be, amber must be acknowledged, red blocks."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"

    @property
    def mark(self) -> str:
        return {"green": "✓", "amber": "!", "red": "✗"}[self.value]


class Finding(Struct, frozen=True):
    """One thing that was looked at before the act. ``advice`` says what would unblock a red one.

    ``name`` is one word, for the eye and for the runbook file: allowed, fresh, endpoints, budget, autoscaler …
    """

    name: str
    level: Level
    text: str
    advice: str = ""


class Hunk(Struct, frozen=True):
    """What changes in one object: lines that begin with ``-``, ``+`` or a blank, as in a unified diff without marks."""

    title: str  # Deployment/payment-service
    lines: tuple[str, ...]


class Diff(Struct, frozen=True, kw_only=True):
    """What an act changes. ``source`` says who worked it out: server dry run, stored manifests, computed."""

    hunks: tuple[Hunk, ...] = ()
    unchanged: int = 0  # objects that stay as they are
    source: str = "computed"


class Field(Struct, frozen=True, kw_only=True):
    """One thing that the person may choose in a plan. Every answer is text; `Plan.choices` has those in force."""

    id: str
    label: str
    kind: Literal["number", "text", "choice", "toggle"]  # a toggle is "yes" or "no"
    value: str
    options: tuple[tuple[str, str], ...] = ()  # of a choice: (value, what it says)
    hint: str = ""
    least: int = 0  # of a number
    most: int = 1000


class Recipe(Struct, frozen=True, kw_only=True):
    """How an act is taken back: a plan of its own, made from these when somebody asks for it."""

    mitigation: str
    aim: Aim
    choices: dict[str, str] = field(default_factory=dict)


class Undo(Struct, frozen=True):
    """What taking the act back would mean. ``recipe`` None: it cannot be taken back, and ``words`` say why."""

    words: str
    recipe: Recipe | None = None


class Plan(Struct, frozen=True, kw_only=True):
    """One act, ready to be confirmed.

    ``id``        names the act in the timeline and on what it writes (annotation ``warroom/act``).
    ``verb``      one or two words for the button: ``Restart``.
    ``commands``  the equivalent commands, ready to be pasted into a shell.
    ``steps``     what the mitigation needs to carry it out; JSON, no secrets.
    ``phrase``    what must be typed to confirm; empty: one deliberate key.
    ``blast``     in words, how much is hit.
    ``wide``      whether that is much: all pods of a workload, a node, a release.
    ``looks_only`` it mitigates nothing, see `runbook.mitigation`; the gate says so.
    ``reaches``   namespaces that are hit beside the target's own: those of the pods on a node.
    """

    id: str
    mitigation: str
    title: str
    verb: str
    target: Target
    commands: tuple[str, ...]
    remark: str = ""
    diff: Diff = field(default_factory=Diff)
    findings: tuple[Finding, ...] = ()
    fields: tuple[Field, ...] = ()
    choices: dict[str, str] = field(default_factory=dict)
    steps: Json = field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    verified_by: str = ""
    undo: Undo = Undo("")
    phrase: str = ""
    blast: str = ""
    wide: bool = False
    reaches: tuple[str, ...] = ()
    aim: Aim = Aim()
    production: bool = False
    looks_only: bool = False
    made_at: float = 0.0  # epoch seconds

    @property
    def blocked(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level is Level.RED)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level is Level.AMBER)


class Verdict(StrEnum):
    """How an act ended, in the words that are shown."""

    WORKED = "worked"
    FAILED = "did not work"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    REFUSED = "refused"


class Outcome(Struct, frozen=True, kw_only=True):
    """``sent`` None means that it is not known whether the cluster got the request."""

    verdict: Verdict
    text: str
    sent: bool | None = True
    evidence: Json = field(default_factory=dict)
    undo: Undo | None = None  # what only the act itself could know (a name that was generated); else the plan's
