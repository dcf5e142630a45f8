"""The diagnosis of what is in view, worked out anew as it changes, and as the panes draw it.

The machinery is imported when the first diagnosis is asked for: the first frame does not wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from widgets.diagnosis_view import DiagnosisView, NodeView, PlaceView, ScenarioView, SuspectView
from widgets.plain import clock

if TYPE_CHECKING:
    from probes.freshness import Snapshot
    from runbook.diagnosis.diagnostician import Diagnostician
    from runbook.diagnosis.findings import Diagnosis, Finding, Fit, Place, Suspect
    from runbook.diagnosis.situation import FirstSeen, LinesRead
    from tui.room import ControlRoom
    from widgets.log_buffer import LogLineLike

log = logging.getLogger(__name__)

_SEARCHED = 600  # characters of a line
_ERROR = r"(?i)\b(?:fatal|panic|critical|severe|error|exception|traceback|fail(?:ed|ure)?)\b"

NOT_YET = "not ready yet: the runbook is being read"
LOOK_EVERY, LOOK_AGAIN = 2.0, 15.0
"""Seconds between two looks while things change and nobody reads the diagnosis, and while nothing does."""

SHARE = 0.002
"""Of a processor, that looking may take while nobody reads: on a cluster of thousands of pods it looks less often."""

FAILED = "the diagnosis failed; the log file has the details"


class Diagnosing:
    """One for the console. `latest` and `view` are as of the last `look` that was due."""

    def __init__(self, host: ControlRoom) -> None:
        self._host = host
        self._diagnostician: Diagnostician | None = None
        self._latest: dict[str, Snapshot[Any]] = {}
        self._changed: dict[str, set[str]] = {}  # by source, the keys that changed since the last look
        self._anywhere: set[str] = set()  # sources of which any row may have changed since then
        self._read: dict[str, tuple[float, int, int, str]] = {}  # by workload: when, lines, errors, the newest of those
        self._importing: asyncio.Future[object] | None = None
        self._looked_at = 0.0
        self._cost = 0.0  # processor seconds of the last look that nobody asked for
        self._first: tuple[tuple[str, int], FirstSeen | None] = (("", 0), None)  # as of so many lines of an incident
        self.latest: Diagnosis | None = None
        self.trouble = ""

    def forget(self) -> None:
        """Another cluster or namespace: nothing of the old one may be said of the new one."""
        self._diagnostician = self.latest = None
        self._latest, self._changed, self._anywhere, self._read = {}, {}, set(), {}

    def see(self, snapshot: Snapshot[Any]) -> None:
        """A snapshot that the console was handed. It is worked in with the next look."""
        source, changed = snapshot.source, snapshot.changed
        self._latest[source] = snapshot
        if changed is None:
            self._changed.pop(source, None)
            self._anywhere.add(source)
        elif source not in self._anywhere:
            self._changed.setdefault(source, set()).update(changed)

    def look_if_due(self, now: float) -> None:
        """For the banner's few words, which a cluster of thousands of pods must not pay for every second."""
        stirred = self._anywhere or any(self._changed.values())
        pause = max(LOOK_EVERY, self._cost / SHARE) if stirred else LOOK_AGAIN
        if self.latest is None or now - self._looked_at >= pause:
            began = time.thread_time()
            self.look(now)
            self._cost = time.thread_time() - began

    def look(self, now: float) -> None:
        """Work what was seen in. A defect of ours costs the diagnosis and not the console."""
        response = self._host.response
        if response is None or not self._latest or not self._imported():
            return
        self._looked_at = now
        from runbook.diagnosis.diagnostician import Diagnostician
        from runbook.diagnosis.situation import Told

        if self._diagnostician is None or self._diagnostician.response is not response:
            self._diagnostician = Diagnostician(response)
            self._anywhere = set(self._latest)
        # A source of which no snapshot came has not changed.
        changed = {source: self._changed.get(source, ()) for source in self._latest if source not in self._anywhere}
        self._changed, self._anywhere = {}, set()
        local = self._host.local_time
        incident = self._host.journal.incident
        began = incident.times.get("began") if incident is not None and incident.open else None
        told = Told(
            read=self._lately_read(now, response.errors_gone_for),
            began=began / 1000 if began is not None else None,
            first=self._first_seen(),
            quarantined=self._quarantined(),
        )
        try:
            self.latest = self._diagnostician.diagnose(
                self._latest, now, lambda at: clock(at, local, now), told, changed
            )
            self.trouble = ""
        except Exception as error:
            if not self.trouble:
                log.exception("the diagnosis failed")
            self.trouble = f"{FAILED}: {type(error).__name__}"
            self._diagnostician = self.latest = None

    def _first_seen(self) -> FirstSeen | None:
        """The first symptom by the open incident's record."""
        from incident.review import first_symptom
        from probes.turns import plainly
        from runbook.diagnosis.situation import FirstSeen

        journal = self._host.journal
        incident = journal.incident
        if incident is None or not incident.open:
            return None
        lines = journal.timeline.lines
        if self._first[0] != (incident.id, len(lines)):
            line = first_symptom(lines, incident.declared_at)
            words = plainly(line.text.partition("\n")[0]) if line is not None else ""
            found = FirstSeen(line.happened_at / 1000, words) if line is not None else None
            self._first = (incident.id, len(lines)), found
        return self._first[1]

    def _imported(self) -> bool:
        """In a thread, so that no key waits for it."""
        if self._importing is None:
            loop = asyncio.get_running_loop()
            self._importing = loop.run_in_executor(None, import_module, "runbook.diagnosis.diagnostician")
        return self._importing.done()

    def read(self, of: str, lines: Sequence[LogLineLike]) -> None:
        """Lines of a log that somebody is reading. One that is an error is quoted, rather one about a database."""
        from runbook.diagnosis.warnings import of_database

        _, count, errors, excerpt = self._read.get(of, (0.0, 0, 0, ""))
        for line in lines:
            text = line.text[:_SEARCHED]
            if line.kind != "log":
                continue
            count += 1
            telling = of_database(text)
            if telling or re.search(_ERROR, text):
                errors += 1
                frame = text[:1].isspace()  # of a stack: it names the place and not the fault
                if not excerpt or telling or (not frame and not of_database(excerpt)):
                    excerpt = text.strip()
        self._read[of] = (self._host.now(), count, errors, excerpt)

    def read_anew(self, of: str) -> None:
        """A log is opened, perhaps again: its lines come from the first on."""
        self._read.pop(of, None)

    def _lately_read(self, now: float, lately: float) -> tuple[LinesRead, ...]:
        from runbook.diagnosis.situation import LinesRead

        self._read = {of: known for of, known in self._read.items() if now - known[0] <= lately}
        return tuple(
            LinesRead(of=of, lines=count, errors=errors, excerpt=excerpt)
            for of, (_, count, errors, excerpt) in self._read.items()
            if count
        )

    def _quarantined(self) -> tuple[str, ...]:
        """Pods that this console has quarantined and not let out again."""
        held: dict[str, None] = {}
        for act in self._host.gates.acts:
            if act.plan.mitigation == "quarantine" and act.outcome is not None and act.outcome.sent:
                if act.plan.choices.get("release") == "yes":
                    held.pop(act.plan.target.name, None)
                else:
                    held[act.plan.target.name] = None
        return tuple(held)

    @property
    def first_symptom(self) -> float | None:
        return self.latest.first_symptom if self.latest is not None else None

    @property
    def accused(self) -> str:
        """The key of the first suspect's row in the changes pane; empty if there is none."""
        return change_key(self.suspect) if self.suspect is not None else ""

    @property
    def suspect(self) -> Suspect | None:
        """The first suspect, while something is ill and something is suspected that touches it."""
        found = self.latest.suspects[:1] if self.latest is not None else ()
        return found[0] if found and found[0].touch != "elsewhere" else None

    @property
    def suspicion(self) -> tuple[str, str]:
        """The first suspect in two words and how long before the first symptom it was, for the banner; or nothing."""
        suspect = self.suspect
        if suspect is None:
            return "", ""
        from runbook.diagnosis.wording import span

        return suspect.short, span(suspect.before)

    def view(self, now: float) -> DiagnosisView:
        """What a pane draws."""
        found = self.latest
        if found is None:
            return DiagnosisView(remark=self.trouble or NOT_YET)
        local = self._host.local_time
        pods = self._latest.get("pods")
        chronic = f"{found.chronic} ill for more than a day, left out" if found.chronic else ""
        return DiagnosisView(
            nodes=tuple(_node(one, found.path) for one in found.findings),
            scenarios=tuple(_scenario(fit, local, now) for fit in found.fits),
            suspects=tuple(_suspect(one, local, now) for one in found.suspects),
            after=tuple(replace(_suspect(one, local, now), after=True) for one in found.after),
            symptom_at=clock(found.first_symptom, local, now) if found.first_symptom is not None else "",
            symptom=found.first_text,
            ill=found.ill,
            blind=pods is None or not pods.freshness.live,
            remark=self.trouble or chronic,
        )


def change_key(suspect: Suspect) -> str:
    """The key of a suspect's row in the changes pane; empty for what that pane does not show."""
    place = place_view(suspect.place)
    return place.key if place is not None and place.pane == "changes" else ""


def place_view(place: Place | None) -> PlaceView | None:
    """A place as the pane's own key. Every pane makes its keys from a snapshot's in its own way."""
    if place is None:
        return None
    key = place.key
    match place.pane, place.kind:
        case "pods", "Pod":
            key = place.key
        case "pods", kind if kind:
            key = f"workload:{place.namespace}/{kind}/{place.name}"
        case "changes", "Release":
            key = f"helm:{place.namespace}/{place.name}/{place.revision}"
        case "changes", "Commit":
            key = f"git:{place.key}"
        case "changes", "Activity":
            key = f"azure:{place.key}"
    return PlaceView(place.pane, key)


def _node(finding: Finding, path: tuple[str, ...]) -> NodeView:
    return NodeView(
        id=finding.id,
        text=finding.text,
        answer=finding.answer,
        lit=finding.lit,
        last=bool(path) and path[-1] == finding.id,
        evidence=finding.evidence,
        place=place_view(finding.place),
        yes=finding.yes,
        no=finding.no,
        next=finding.next,
    )


def _scenario(fit: Fit, local: bool, now: float) -> ScenarioView:
    from runbook.diagnosis.symptoms import WORDS

    reasons = []
    for seen in fit.reasons:
        since = f", since {clock(seen.since, local, now)}" if seen.since is not None else ""
        as_of = f" (as of {clock(seen.as_of, local, now)})" if seen.as_of is not None else ""
        reasons.append((WORDS[seen.symptom], seen.text + since + as_of))
    return ScenarioView(
        id=fit.id,
        number=fit.number,
        title=fit.title,
        reasons=tuple(reasons),
        missing=tuple(WORDS[symptom] for symptom in fit.missing),
        unknown=tuple(WORDS[symptom] for symptom in fit.unknown),
        place=place_view(fit.reasons[0].place) if fit.reasons else None,
    )


def _suspect(suspect: Suspect, local: bool, now: float) -> SuspectView:
    from runbook.diagnosis.wording import span

    return SuspectView(
        id=suspect.id,
        what=suspect.what,
        short=suspect.short,
        by=suspect.by,
        when=clock(suspect.at, local, now),
        span=span(abs(suspect.before)) if suspect.before > 0 else span(-suspect.before),
        why=suspect.why,
        place=place_view(suspect.place),
    )
