"""The guide that is open on the console: what its steps say now, and what becomes of a key that is pressed on one.

A look is evaluated from the probes and recorded as an entry; a plan is only opened, and what came of it recorded later.
Imported when the first guide is opened.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from incident.checks import State, check_draft, histories
from incident.entry import Draft, Kind
from probes.errors import ProbeError
from runbook.guide import EVIDENCE, Guide, GuideStep, filled, guide, guides, unpreserved
from runbook.guide_answers import logs, tail_of, version
from runbook.guide_findings import Found, Sight, found
from runbook.plan import Verdict
from tui import acting, guide_acts, guide_aims, writing
from tui.guide_acts import Planned
from widgets.guide_view import GuideView, RecordView, SectionView, StepView
from widgets.plain import clock

if TYPE_CHECKING:
    from incident.checks import Tick
    from runbook.act import Act
    from tui.room import ControlRoom

LOGS_WITHIN, VERSION_WITHIN = 10.0, 5.0  # seconds
BY_HAND = "this is done elsewhere: space ticks it, a writes a note, y copies it"

Key = tuple[str, str]  # guide, step


class Guiding:
    """One for the console. The screen asks for `view` once a second, and when `hear` says so."""

    def __init__(self, host: ControlRoom) -> None:
        self._host = host
        self.open_id = ""
        self._read_already = False  # the timeline as it is
        self._incident = ""
        self._histories: dict[Key, tuple[Tick, ...]] = {}
        self._unkept: dict[Key, RecordView] = {}  # found while no incident was open
        self._busy: dict[Key, str] = {}
        self._planned: list[Planned] = []
        self._claimed: set[tuple[str, str]] = set()  # (guide, intent) whose end was recorded as a finding, or will be

    # ------------------------------------------------------------------ which guides there are

    def all(self) -> tuple[Guide, ...]:
        """The diagnosed scenarios first, then the others, then the phases."""
        response = self._host.response
        if response is None:
            return ()
        self._read()
        fits = [fit.id for fit in self._fits]
        rank = {id_: place for place, id_ in enumerate(fits)}
        return tuple(
            sorted(guides(response, self._histories), key=lambda one: (one.phase, rank.get(one.id, len(fits))))
        )

    @property
    def _fits(self) -> tuple[Any, ...]:
        found = self._host.diagnosing.latest
        return found.fits if found is not None else ()

    def why(self, one: Guide) -> str:
        """What a list says of a guide: what speaks for it, or what it is about, and how far it is."""
        fit = next((fit for fit in self._fits if fit.id == one.id), None)
        about = f"fits: {fit.reasons[0].text}" if fit is not None else one.lead[0][1] if one.lead else ""
        return f"{f'{one.done} of {len(one.steps)} done · ' if one.done else ''}{about}"

    @property
    def guide(self) -> Guide | None:
        """The one that is open, as it stands."""
        response = self._host.response
        if response is None or not self.open_id:
            return None
        self._read()
        return guide(response, self.open_id, self._histories)

    def step(self, key: Key) -> tuple[Guide, GuideStep] | None:
        one = self.guide
        step = one.step(key[1]) if one is not None and one.id == key[0] else None
        return (one, step) if one is not None and step is not None else None

    def hear(self, touched: set[str] | None) -> bool:
        """Lines of the timeline came or changed (None: another is shown). Whether a guide may read differently now."""
        timeline = self._host.journal.timeline
        lines = [timeline.get(each) for each in touched] if touched is not None else []
        if touched is None or any(line is not None and line.entry.kind is Kind.CHECK for line in lines):
            self._read_already = False
        return not self._read_already

    def _read(self) -> None:
        journal = self._host.journal
        incident = journal.incident.id if journal.incident is not None else ""
        if not self._read_already or incident != self._incident:
            if incident != self._incident:
                self._unkept.clear()
            self._read_already, self._incident = True, incident
            self._histories = histories(journal.timeline.lines)

    # ------------------------------------------------------------------ what is drawn

    def view(self, now: float) -> GuideView | None:
        one = self.guide
        if one is None:
            return None
        sections: list[SectionView] = []
        for step in one.steps:
            drawn = self._step_view(one, step, now)
            if sections and sections[-1].title == step.section:
                sections[-1] = SectionView(step.section, (*sections[-1].steps, drawn))
            else:
                sections.append(SectionView(step.section, (drawn,)))
        return GuideView(
            id=one.id,
            name=one.name,
            title=one.title,
            fits=any(fit.id == one.id for fit in self._fits[:1]),
            lead=one.lead,
            sections=tuple(sections),
        )

    def _step_view(self, one: Guide, step: GuideStep, now: float) -> StepView:
        key = (one.id, step.id)
        local = self._host.local_time
        records = [
            RecordView(tick.note, clock(tick.at / 1000, local, now), tick.author)
            for place, tick in enumerate(step.ticks)
            if tick.note or (place == len(step.ticks) - 1 and tick.state != "open")
        ]
        if key in self._unkept:
            records.append(self._unkept[key])
        before = self._early(one, step)
        return StepView(
            id=step.id,
            text=step.text,
            state=step.state,
            way=step.way,
            code=self.code(one, step),
            notes=step.notes,
            records=tuple(records),
            doing=self._busy.get(key, "") or self._acting(key),
            warning=f"evidence first: “{before}” is still open" if before and step.state == "open" else "",
        )

    def _early(self, one: Guide, step: GuideStep) -> str:
        """The step that should come before this one (`unpreserved`), unless evidence was captured without the guide."""
        before, journal = unpreserved(one, step), self._host.journal
        if not before or journal.incident is None:
            return before
        captured = any(
            act.plan.mitigation == EVIDENCE
            and act.incident == journal.incident.id
            and act.outcome is not None
            and act.outcome.verdict is Verdict.WORKED
            for act in self._host.gates.acts
        )
        return "" if captured else before

    def code(self, one: Guide, step: GuideStep) -> str:
        """A step's code with what is known filled in."""
        if "<" not in step.code:
            return step.code
        return filled(step.code, guide_aims.filling(self._host, one, step))

    def _acting(self, key: Key) -> str:
        acts = [act for planned in self._planned if planned.key == key if (act := self._act_of(planned)) is not None]
        if not acts:
            return ""
        act = acts[-1]
        return f"{act.plan.title}: {act.phase}" + (f", {act.latest}" if act.latest else "")

    # ------------------------------------------------------------------ carrying steps out

    def run(self, key: Key) -> None:
        """Enter on a step: look, read logs, open a plan. Twice while it is under way does nothing."""
        at = self.step(key)
        if at is None or key in self._busy:
            return
        one, step = at
        if step.way == "hand":
            self._host.tell(BY_HAND, timeout=4)
        elif step.way == "plan":
            self._plan(one, step)
        elif step.way == "logs":
            self._begin(key, "reading logs …", self._read_logs(one, step))
        elif step.look is not None and step.look.what == "version":
            self._begin(key, "asking the API server …", self._ask_version(one, step))
        elif step.look is not None and step.look.what == "sql":
            self._ask(one, step)
        elif step.look is not None:
            seen = found(step.look, self._sight(), step.code)
            self._begin(key, "recording …", self._record_found(one, step, seen))

    def _begin(self, key: Key, words: str, work: Any) -> None:
        self._busy[key] = words
        writing.begin(self._host, self._until_done(key, work), "carries out a step of a guide")

    async def _until_done(self, key: Key, work: Any) -> None:
        try:
            await work
        finally:
            self._busy.pop(key, None)
            self._host.desk.show_guide()

    def _sight(self) -> Sight:
        now, local = self._host.now(), self._host.local_time
        diagnosis, response = self._host.diagnosing.latest, self._host.response
        return Sight(
            self._host.feeds.latest,
            now,
            lambda at: clock(at, local, now),
            diagnosis.first_symptom if diagnosis is not None else None,
            response.errors_gone_for if response is not None else 600.0,
            diagnosis.symptoms if diagnosis is not None else (),
        )

    async def _ask_version(self, one: Guide, step: GuideStep) -> None:
        cluster = self._host.session.cluster
        answered, trouble = "", ""
        if cluster is None:
            trouble = "this console is not connected to a cluster"
        else:
            try:
                async with asyncio.timeout(VERSION_WITHIN):
                    answered = await cluster.version()
            except TimeoutError:
                trouble = f"no answer within {VERSION_WITHIN:g} s"
            except ProbeError as error:
                trouble = str(error)
        await self._record_found(one, step, version(answered, trouble, self._sight()))

    def _ask(self, one: Guide, step: GuideStep) -> None:
        from tui.sql_checks import obstacle

        if why := obstacle(self._host):
            self._host.tell(why, "warning", timeout=8)
        else:
            self._begin((one.id, step.id), "asking the SQL server …", self._ask_sql(one, step))

    async def _ask_sql(self, one: Guide, step: GuideStep) -> None:
        from tui.sql_checks import asked

        await self._record_found(one, step, await asked(self._host, step))

    async def _read_logs(self, one: Guide, step: GuideStep) -> None:
        from probes.logs import read_once

        of = step.look.of if step.look is not None else ""
        subject, cluster = guide_aims.logs_of(self._host, one, step), self._host.session.cluster
        if subject is None or cluster is None:
            trouble = self._sight().trouble("pods")
            why = trouble or (f"there is no pod of {of} here" if of else "nothing is selected whose logs could be read")
            why = why if cluster is not None else "not connected to a cluster"
            seen = Found(text=f"logs{f' of {of}' if of else ''}: not known, {why}", known=False, level="warn")
        else:
            targets = guide_aims.targets_of(subject)
            tail = tail_of(step.code)
            lines = await read_once(cluster, subject.namespace, targets, tail=tail, timeout=LOGS_WITHIN)
            self._host.diagnosing.read_anew(subject.name)
            self._host.diagnosing.read(subject.name, lines)
            seen = logs(subject.name, lines, len({pod for pod, _ in targets}), len(subject.pods))
        await self._record_found(one, step, seen)

    def _plan(self, one: Guide, step: GuideStep) -> None:
        """Only opens it: a plan has a confirmation of its own."""
        aimed = guide_aims.aim_for(self._host, one, step)
        if aimed.aim is None:
            self._host.tell(f"{self._host.desk.act_label(step.mitigation)}: {aimed.refusal}", "warning", timeout=6)
            return
        before = self._early(one, step)
        warning = f"evidence first: “{before}” of this guide is still open" if before else ""
        if warning:
            self._host.tell(warning, "warning", timeout=8)
        incident = self._host.journal.incident
        self._planned = [each for each in self._planned if each.key != (one.id, step.id)]
        self._planned.append(
            Planned(
                (one.id, step.id),
                step.text,
                step.mitigation,
                aimed.aim,
                self._host.now(),
                incident.id if incident is not None else "",
            )
        )
        note = " · ".join(filter(None, (warning, aimed.note)))
        acting.open_plan(self._host, step.mitigation, aimed.aim, note=note)

    # ------------------------------------------------------------------ what became of plans

    def _act_of(self, planned: Planned) -> Act | None:
        return guide_acts.act_of(planned, self._host.gates.acts, self._claimed)

    def tick(self) -> None:
        """Record what came of the plans that were opened here."""
        for planned in list(self._planned):
            act = self._act_of(planned)
            if act is None or act.outcome is None or not act.finished:
                continue
            self._claimed.add((planned.key[0], act.entry))
            self._planned.remove(planned)
            writing.begin(self._host, self._record_act(planned, act), "records what a step came to")
        self._adopt()

    def _adopt(self) -> None:
        """What was done by its own key, and not from the guide, has taken the guide's step as well, if it worked."""
        one, journal = self.guide, self._host.journal
        if one is None or journal.incident is None or not journal.recording:
            return
        under_way = {planned.key for planned in self._planned} | self._busy.keys()
        for planned, act in guide_acts.begun_elsewhere(
            one, self._host.gates.acts, journal.incident.id, self._claimed, under_way
        ):
            self._claimed.add((one.id, act.entry))
            writing.begin(self._host, self._record_act(planned, act), "records what a step came to")

    async def _record_act(self, planned: Planned, act: Act) -> None:
        seen = guide_acts.found_of(act)
        if seen is not None:
            await self._write(self._draft(planned.key, planned.text, "open", seen), planned.incident)

    # ------------------------------------------------------------------ recording

    def _draft(self, key: Key, text: str, state: State, seen: Found) -> Draft:
        word = "" if seen.known and state == "open" else "Looked"
        draft = check_draft(
            *(key[0], key[1], "done" if seen.known else state, self._host.journal.author),
            text=text,
            note=seen.text,
            word=word,
        )
        evidence = (draft.evidence or {}) | {"finding": {"known": seen.known} | seen.facts}
        return replace(draft, evidence=evidence, level=seen.level)

    async def _record_found(self, one: Guide, step: GuideStep, seen: Found) -> None:
        key = (one.id, step.id)
        if not self._host.journal.recording:
            self._unkept[key] = RecordView(seen.text, kept=False)
            return
        self._unkept.pop(key, None)
        await self._write(self._draft(key, step.text, step.state, seen))

    def toggle(self, key: Key) -> None:
        """Tick a step by hand, or open it again. Twice while that is being recorded does it once."""
        at = self.step(key)
        if at is None or key in self._busy:
            return
        state: State = "done" if at[1].state == "open" else "open"
        draft = check_draft(*key, state, self._host.journal.author, text=at[1].text)
        self._begin(key, "recording …", self._write(draft))

    async def note(self, key: Key, text: str) -> bool:
        """Write a note on a step, which stays as it is; a TODO is a follow-up, here as everywhere.

        False: it was not recorded, and that was told.
        """
        from incident.editor import todo_of

        at = self.step(key)
        if at is None:
            return False
        if todo := todo_of(text):
            return await self._write(Draft(text=todo, author=self._host.journal.author, kind=Kind.FOLLOWUP))
        draft = check_draft(*key, at[1].state, self._host.journal.author, text=at[1].text, note=text, word="Noted")
        return await self._write(replace(draft, level="info"))

    async def _write(self, draft: Draft, incident: str = "") -> bool:
        """On the shown incident, or on the one that is named. What went wrong is told; what is kept aside is kept."""
        from incident.errors import StoreError

        journal, host = self._host.journal, self._host
        if incident and (journal.incident is None or journal.incident.id != incident):
            try:
                await journal.record(incident, draft)
            except StoreError as error:
                host.tell(f"not recorded: {error}", "error", timeout=15)
                return False
            return True
        if not journal.recording:
            host.tell(writing.why_none(journal), "warning")
            return False
        saved = await journal.write(draft)
        if saved.kept:
            host.tell(f"kept aside, not in the store yet: {saved.trouble}", "error", timeout=15)
            return True
        if saved.trouble:
            host.tell(f"not recorded: {saved.trouble}", "error", timeout=15)
        return not saved.trouble
