"""The one gate: every plan goes through it, and there is no second way to write to the world.

It refuses in read-only mode, while disarmed, without an open incident, and what is not confirmed as its plan demands.
It runs one plan per target at a time, refuses a plan whose target has changed, has the intent on disk before the first
byte is sent, makes the hands, and sees the act through to a verdict and a record.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from incident.entry import Draft, Entry
from probes.errors import ProbeError
from runbook.act import Act, Phase
from runbook.addressing import addressed, addressed_within
from runbook.errors import Changed, MitigationError, NoPlan, NotSent, Refused
from runbook.hands import Hands, Rehearsal
from runbook.jobs import Jobs
from runbook.outside import NOWHERE, Outside
from runbook.plan import Aim, Finding, Level, Plan, Target, Verdict
from runbook.precondition import check_same
from runbook.record import Intent, intent_draft, intent_of, outcome_draft, spoken_findings, unsent_draft
from runbook.scene import Scene
from runbook.stamps import Stamp

if TYPE_CHECKING:
    from pathlib import Path

    from probes.cluster import Cluster
    from probes.freshness import Snapshot
    from runbook.mitigation import Choices, Mitigation
    from runbook.playbook import Playbook
    from runbook.sql_server import SqlServer

log = logging.getLogger(__name__)

PLAN_LIFE = 900.0  # seconds after which a plan that nobody confirmed is made again first
MOST_DIFF = 4000  # lines of a diff that are kept; the rest is told


class Book(Protocol):
    """The timeline, as the gate writes to it. ``incident`` is the open incident's ID, empty if there is none."""

    @property
    def incident(self) -> str: ...

    @property
    def author(self) -> str: ...

    async def intend(self, draft: Draft) -> tuple[str, str]:
        """Make the intent durable; (incident, entry). Raises `NotRecorded`."""

    async def conclude(self, incident: str, draft: Draft) -> None:
        """Record how it ended; never raises for the store's fault, which it tells itself."""


class Confirmation(Struct, frozen=True, kw_only=True):
    """What the person did to confirm. ``acknowledged`` are the texts of the amber findings."""

    by: str
    phrase: str = ""
    acknowledged: frozenset[str] = frozenset()


class Gate:
    """One cluster's gate. ``changed`` is called whenever an act has news or the arming changed.

    ``helm`` is the command that is Helm, ``jobs`` the directory for what goes on outside of this process, by default
    in the user's state directory; ``outside`` is what may be acted on besides the cluster; ``began`` tells when the
    open incident began (epoch seconds).
    """

    def __init__(
        self,
        cluster: Cluster,
        book: Book,
        table: Mapping[str, Mitigation],
        playbook: Playbook,
        *,
        latest: Callable[[], Mapping[str, Snapshot[Any]]],
        production: Callable[[str], bool],
        read_only: bool = False,
        helm: Sequence[str] = (),
        jobs: Path | None = None,
        outside: Outside = NOWHERE,
        began: Callable[[], float | None] = lambda: None,
        changed: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.read_only = read_only
        self.acts: dict[str, Act] = {}  # of this console, oldest first
        self.playbook = playbook
        self.armed_until: float | None = None  # epoch seconds
        self._cluster = cluster
        self._outside = outside
        self._places = {(cluster.server, cluster.context), *outside.places}
        self._book = book
        self._table = table
        self._now = now
        self._production = production
        self._changed = changed
        self._busy: dict[str, str] = {}  # target → act
        self._used: set[str] = set()  # plans that were confirmed, whatever became of them
        self._scene = Scene(
            cluster,
            Rehearsal(cluster),
            playbook,
            latest=latest,
            production=production,
            helm=helm,
            jobs=Jobs(jobs),
            now=now,
            incident=lambda: book.incident,
            outside=outside,
            began=began,
        )

    def prepare(self) -> None:
        """Find out, beside everything else, what the first plan would wait for."""
        if self._scene.helm.command:
            self._scene.helm.ask()

    # ------------------------------------------------------------------ arming

    @property
    def armed(self) -> bool:
        """Whether acts on production are let through right now."""
        return self.armed_until is not None and self._now() < self.armed_until

    def arm(self, seconds: float | None = None) -> None:
        """Let acts on production through for a while (default: what the playbook says)."""
        self.armed_until = self._now() + (self.playbook.armed_for if seconds is None else seconds)
        self._changed()

    def disarm(self) -> None:
        self.armed_until = None
        self._changed()

    # ------------------------------------------------------------------ planning

    @property
    def offered(self) -> dict[str, Mitigation]:
        """The mitigations that there is something for: those of databases only where the settings name any."""
        there = {"cluster"} | {place for place, known in self._outside._asdict().items() if known is not None}
        return {name: each for name, each in self._table.items() if each.place in there}

    @property
    def sql(self) -> SqlServer | None:
        """The SQL server that may be asked, if the settings name one."""
        return self._outside.sql

    def acts_on(self, target: Target) -> bool:
        """Whether that is in this gate's reach: its cluster, its Azure account, its SQL server."""
        return (target.server, target.context) in self._places

    def mitigation(self, name: str) -> Mitigation:
        return self._table[name]

    def where(self, aim: Aim) -> tuple[str, str, bool]:
        """Where a plan for ``aim`` would act, before there is one: context, namespace, whether it is production."""
        return self._cluster.context, aim.namespace, self._production(aim.namespace)

    async def plan(self, name: str, aim: Aim, choices: Choices | None = None) -> Plan:
        """Look, and say what the mitigation would do. Raises `NoPlan`, or `ProbeError` when it cannot be looked at."""
        mitigation = self._table[name]
        refusal = mitigation.refuses(aim)
        if refusal:
            raise NoPlan(refusal)
        try:
            plan = await mitigation.plan(self._scene, aim, choices or {})
        except (ProbeError, MitigationError) as error:
            error.hint = self._addressed(error.hint)
            raise
        production = self._is_production(plan)
        settings = self.playbook.of(name)
        warnings = settings.warnings if mitigation.warned_of(plan) else ()
        warned = tuple(Finding("runbook", Level.AMBER, text) for text in warnings)
        findings = (*self._standing(mitigation, plan, production), *plan.findings, *warned)
        cluster = self._scene.cluster
        plan = replace(
            plan,
            # A command of the runbook file is shown as it is run.
            commands=plan.commands
            if name in self.playbook.commands
            else tuple(addressed(command, cluster.context, cluster.kubeconfig) for command in plan.commands),
            findings=tuple(replace(found, advice=self._addressed(found.advice)) for found in findings),
            aim=aim,
            production=production,
            looks_only=mitigation.looks_only,
            made_at=self._now(),
            diff=_kept(plan.diff),
        )
        return replace(plan, phrase=phrase_of(plan, settings.friction == "name"))

    def _addressed(self, cure: str) -> str:
        """A cure with the cluster in its commands: the shell it is pasted into may mean another one."""
        return addressed_within(cure, self._cluster.context, self._cluster.kubeconfig)

    def _is_production(self, plan: Plan) -> bool:
        """A node is in no namespace, and yet production if production runs on it."""
        return any(map(self._production, (plan.target.namespace, *plan.reaches)))

    def _standing(self, mitigation: Mitigation, plan: Plan, production: bool) -> list[Finding]:
        """What only the gate knows."""
        found = []
        if self.read_only and not mitigation.harmless:
            found.append(
                Finding("read-only", Level.RED, "this console only looks", "open it again without --read-only")
            )
        if not self._book.incident:
            found.append(Finding("incident", Level.RED, "no open incident to record it in", "press I to declare one"))
        elif production and not (self.armed or self.read_only or mitigation.harmless):
            found.append(Finding("armed", Level.RED, "this is production and the console is disarmed", "A arms it"))
        if plan.target.key in self._busy:
            running = self.acts.get(self._busy[plan.target.key])
            what = f": {running.plan.title}" if running else ""
            found.append(Finding("alone", Level.RED, f"another act runs on this target{what}", "wait until it ended"))
        return found

    # ------------------------------------------------------------------ carrying out

    async def carry_out(self, plan: Plan, confirmation: Confirmation) -> Act:
        """Check, record the intent, begin. Returns once the act is under way; `Act.done` waits for its end.

        Raises:
            Changed: the target is another than the plan's; nothing was sent. Make a new plan.
            Refused: the gate said no; nothing was sent.
            NotSent: the target could not be looked at, or the intent not be recorded; nothing was sent.
        """
        if plan.id in self._used:
            raise Refused("this plan was confirmed already; it is carried out once")
        self._used.add(plan.id)
        key = plan.target.key
        mitigation = self._table[plan.mitigation]
        try:
            self._check(mitigation, plan, confirmation)
            self._busy[key] = plan.id
            try:
                target = await mitigation.again(self._scene, plan)
                check_same(plan.target, target)
                self._check_standing(mitigation, plan)  # it may have been disarmed while we looked
                incident, entry = await self._book.intend(
                    intent_draft(plan, confirmation.by, sorted(confirmation.acknowledged))
                )
            except ProbeError as error:
                text = f"nothing was sent: {plan.target} cannot be looked at: {error}"
                raise NotSent(text, self._addressed(error.hint)) from error
        except MitigationError as error:
            if self._busy.get(key) == plan.id:
                del self._busy[key]
            await self._unsent(plan, Verdict.REFUSED, str(error), confirmation.by)
            raise
        except BaseException:
            if self._busy.get(key) == plan.id:
                del self._busy[key]
            raise
        act = Act(replace(plan, target=target), mitigation, incident, entry, confirmation.by, self._now, self._changed)
        self.acts[plan.id] = act
        hands = Hands(self._cluster, Stamp(incident, plan.id, confirmation.by), self._outside)
        act.begin(self._see_through(act, hands))
        self._changed()
        return act

    async def cancelled(self, plan: Plan, tried: bool = False) -> None:
        """The person looked at the plan and left; that belongs on the record, too.

        ``tried``: they said yes to it first, and it was blocked. That is a refusal; to leave a blocked plan is not.
        """
        if plan.id not in self._used:
            self._used.add(plan.id)
            blocked = f"blocked: {spoken_findings(plan.findings)}" if plan.blocked else ""
            if blocked and tried:
                await self._unsent(plan, Verdict.REFUSED, blocked, self._book.author)
            else:
                why = f"nothing was sent; it was {blocked}" if blocked else "nothing was sent"
                await self._unsent(plan, Verdict.CANCELLED, why, self._book.author)

    def _check(self, mitigation: Mitigation, plan: Plan, confirmation: Confirmation) -> None:
        if plan.blocked:
            raise Refused(f"blocked: {spoken_findings(plan.findings)}")
        self._check_standing(mitigation, plan)
        unread = [finding.text for finding in plan.warnings if finding.text not in confirmation.acknowledged]
        if unread:
            raise Refused(f"not acknowledged: {'; '.join(unread)}")
        if confirmation.phrase != plan.phrase:
            raise Refused(f"what was typed is not {plan.phrase!r}")
        if not self.acts_on(plan.target):
            raise Refused(f"the plan is for {plan.target.context}, and the console looks at {self._cluster.context}")
        if self._now() - plan.made_at > PLAN_LIFE:
            raise Changed(f"the plan is older than {PLAN_LIFE / 60:.0f} minutes; look at a new one")

    def _check_standing(self, mitigation: Mitigation, plan: Plan) -> None:
        standing = self._standing(mitigation, plan, self._is_production(plan))
        own = self._busy.get(plan.target.key) == plan.id
        blocking = [finding for finding in standing if not (own and finding.name == "alone")]
        if blocking:
            raise Refused(f"blocked: {spoken_findings(blocking)}")

    async def _see_through(self, act: Act, hands: Hands | None) -> None:
        within = self.playbook.within(act.plan.mitigation, act.mitigation.takes)
        within += 0.0 if hands else act.mitigation.patience
        try:
            await act.see_through(hands, self._scene, within)
        finally:
            if self._busy.get(act.plan.target.key) == act.plan.id:
                del self._busy[act.plan.target.key]
        outcome = act.outcome
        assert outcome is not None
        if act.handed_on:  # the intent stays without an outcome, and the next console follows it on
            log.info("act %s %s goes on without this console", act.plan.id, act.plan.title)
            return
        log.info("act %s %s: %s: %s", act.plan.id, act.plan.title, outcome.verdict, outcome.text)
        draft = outcome_draft(act.entry, act.plan, outcome, act.by, act.seconds, [text for _, text in act.progress])
        await self._book.conclude(act.incident, draft)
        act.recorded()
        self._changed()

    async def _unsent(self, plan: Plan, verdict: Verdict, why: str, by: str) -> None:
        log.info("act %s %s: %s: %s", plan.id, plan.title, verdict, why)
        incident = self._book.incident
        if incident:
            await self._book.conclude(incident, unsent_draft(plan, verdict, why, by))

    # ------------------------------------------------------------------ afterwards

    def resume(self, entries: Sequence[Entry]) -> list[Act]:
        """Find out what became of intents that a console left without an outcome, and see them through.

        Nothing is ever sent again: it is looked, and watched. Intents of another cluster, or that a living console of
        this machine is at, are left alone.
        """
        begun = []
        for entry in entries:
            intent = intent_of(entry.evidence)
            if intent is None or not self._concerns_us(intent):
                continue
            plan = intent.plan
            act = Act(
                plan, self._table[plan.mitigation], entry.incident, entry.id, intent.confirmed_by, self._now,
                self._changed, phase=Phase.LOOKING, began_at=entry.happened_at / 1000,
            )  # fmt: skip
            self._used.add(plan.id)
            self._busy.setdefault(plan.target.key, plan.id)
            self.acts[plan.id] = act
            act.begin(self._see_through(act, None))
            begun.append(act)
        if begun:
            self._changed()
        return begun

    def _concerns_us(self, intent: Intent) -> bool:
        return (
            intent.plan.id not in self.acts
            and not intent.ours
            and not intent.running_elsewhere
            and self.acts_on(intent.plan.target)
            and intent.plan.mitigation in self._table
        )

    @property
    def running(self) -> list[Act]:
        return [act for act in self.acts.values() if act.outcome is None]

    async def close(self) -> None:
        """The console is left. What is under way is told as what it is: sent, and not watched to its end."""
        running = [act for act in self.acts.values() if not act.finished]
        for act in running:
            act.leave()
        await asyncio.gather(*(act.done() for act in running), return_exceptions=True)
        await self._scene.helm.close()
        await self._outside.close()
        await self._cluster.close()


def phrase_of(plan: Plan, name_wanted: bool = False) -> str:
    """What must be typed: the plan's own words, or the target's name where much is hit in production."""
    if plan.phrase:
        return plan.phrase
    return plan.target.name if name_wanted or (plan.production and plan.wide) else ""


def _kept(diff: Any) -> Any:
    room, hunks = MOST_DIFF, []
    for hunk in diff.hunks:
        if len(hunk.lines) > room:
            cut = len(hunk.lines) - room
            hunks.append(replace(hunk, lines=(*hunk.lines[:room], f"  … {cut:,} more lines")))
            room = 0
        else:
            hunks.append(hunk)
            room -= len(hunk.lines)
    return replace(diff, hunks=tuple(hunks))
