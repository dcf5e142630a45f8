"""When a workload turned unhealthy and when it recovered, judged from its pods and its rollout together. Pure.

A crash loop is one turn of its workload, however often its containers end. A rolling update that goes as it should is
no turn at all. What was ill before the console opened is told as that, with the time it began.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from probes.freshness import Snapshot
from probes.rows import Health, Pod, Workload
from probes.turns import OPENED, Level, Transition, span, turn

DEBOUNCE = 10.0  # seconds that replicas may be missing before that is an illness
STARTUP = 60.0  # seconds a workload that never was ready, or the end of a rollout, may take
HOLD = 10.0  # seconds that a workload must be well before that is a recovery
HOLD_AFTER_CRASH = 60.0  # the same after a container ended: between two crashes everything looks fine
TICK = 0.9  # seconds between two looks at what hangs on time alone
REPEAT = 30.0  # seconds between two reports of restarts
MOST_AT_OPENING = 12  # workloads told one by one when the console opens

_FAILING, _DORMANT = Health.FAILING, Health.DORMANT  # looked up once: a member of an enumeration is not cheap to name
_SHORT = ("Pod", "Job")  # they come and go; none of them ready is no outage by itself

Key = tuple[str, str, str]  # namespace, kind, name


class Course(Struct):
    """One workload's course of illness."""

    key: Key
    pods: dict[str, Pod] = field(default_factory=dict)
    row: Workload | None = None
    ill: bool = False
    level: Level = "warn"  # of the illness; it only gets worse, so that one illness is not told twice
    ill_at: float = 0.0
    suspect_since: float | None = None  # seems ill, within the debounce
    well_since: float | None = None  # seems well, within the hold
    well_at: float | None = None  # when it was last seen well
    ever_ready: bool = False
    rolling_until: float = 0.0
    restarts_told_at: float = float("-inf")
    restarts_untold: int = 0
    desired: int = 0


class Finding(Struct, frozen=True):
    """How a workload is at one instant."""

    desired: int
    ready: int
    failing: tuple[Pod, ...]
    unready: tuple[Pod, ...]
    deadline: bool  # the rollout itself was given up or cannot make pods

    @property
    def well(self) -> bool:
        return not self.failing and not self.deadline and self.ready >= self.desired


class WorkloadTurns:
    """Fed with snapshots of pods and of workloads, in any order; `tick` lets time pass."""

    def __init__(self) -> None:
        self._courses: dict[Key, Course] = {}
        self._pods: dict[str, Pod] = {}
        self._rows: dict[str, Workload] = {}
        self._pods_version = self._rows_version = -1
        self._opened: dict[str, float] = {}  # source → its first live snapshot
        self._live: dict[str, bool] = {}
        self._pending: set[Key] = set()  # courses whose judgement hangs on time
        self._looked_at = float("-inf")  # when those were judged last

    def observe(self, snapshot: Snapshot[Any], now: float) -> list[Transition]:
        touched = self._take_pods(snapshot) if snapshot.source == "pods" else self._take_rows(snapshot)
        self._live[snapshot.source] = snapshot.freshness.live
        if not snapshot.freshness.live or not self._sees:
            # Rows of a dead connection are the past: judging them would invent turns.
            self._pending |= touched
            return []
        opening = snapshot.source not in self._opened
        self._opened.setdefault(snapshot.source, now)
        turns = self._judge(touched | self._due(now), now)
        return _summed_up(turns) if opening else turns

    def tick(self, now: float) -> list[Transition]:
        return self._judge(self._due(now), now) if self._opened and self._sees else []

    def _due(self, now: float) -> set[Key]:
        """What hangs on time is judged about once a second, however many snapshots come."""
        if 0 <= now - self._looked_at < TICK:
            return set()
        self._looked_at = now
        return set(self._pending)

    @property
    def _sees(self) -> bool:
        return all(self._live[source] for source in self._opened)

    # Which workloads a snapshot touches

    def _take_pods(self, snapshot: Snapshot[Pod]) -> set[Key]:
        touched: set[Key] = set()
        for uid in _changed(snapshot, self._pods, self._pods_version):
            old, new = self._pods.get(uid), snapshot.rows.get(uid)
            if old is new:
                continue
            if old is not None:
                key = _key_of(old)
                touched.add(key)
                self._course(key).pods.pop(uid, None)
                del self._pods[uid]
            if new is not None:
                key = _key_of(new)
                touched.add(key)
                course = self._course(key)
                course.pods[uid] = self._pods[uid] = new
                if old is not None:  # what a pod brought along when it was first seen does not count
                    course.restarts_untold += max(new.restarts - old.restarts, 0)
        self._pods_version = snapshot.version
        return touched

    def _take_rows(self, snapshot: Snapshot[Workload]) -> set[Key]:
        touched: set[Key] = set()
        for uid in _changed(snapshot, self._rows, self._rows_version):
            old, new = self._rows.get(uid), snapshot.rows.get(uid)
            if old is new:
                continue
            row = new or old
            assert row is not None
            key = (row.namespace, row.kind, row.name)
            touched.add(key)
            if new is not None:
                self._course(key).row = self._rows[uid] = new
            else:
                del self._rows[uid]
                course = self._course(key)
                if course.row is not None and course.row.uid == uid:
                    course.row = None
        self._rows_version = snapshot.version
        return touched

    def _course(self, key: Key) -> Course:
        course = self._courses.get(key)
        if course is None:
            course = self._courses[key] = Course(key)
        return course

    # What became of them

    def _judge(self, keys: Iterable[Key], now: float) -> list[Transition]:
        turns: list[Transition] = []
        for key in sorted(keys):
            course = self._courses.get(key)
            if course is None:
                self._pending.discard(key)
                continue
            turns += self._judge_one(course, now)
            if course.suspect_since is not None or course.well_since is not None or course.restarts_untold > 0:
                self._pending.add(key)
            else:
                self._pending.discard(key)
            if not course.pods and course.row is None:
                del self._courses[key]
                self._pending.discard(key)
        return turns

    def _judge_one(self, course: Course, now: float) -> list[Transition]:
        finding = _examine(course)
        turns: list[Transition] = []
        if not course.pods and course.row is None:
            if course.ill:
                turns.append(self._turn(course, "gone", now, "info", f"{_name(course)} was removed", finding))
            return turns
        if finding.desired == 0 and course.desired > 0 and course.row is not None:
            text = f"{_name(course)} is scaled to 0"
            turns.append(self._turn(course, "scaled-to-zero", now, "warn", text, finding))
            course.ill, course.well_since, course.suspect_since = False, None, None
        course.desired = finding.desired
        if course.row is not None and _rolling(course.row):
            course.rolling_until = now + STARTUP
        if finding.well:
            turns += self._seems_well(course, finding, now)
        else:
            turns += self._seems_ill(course, finding, now)
        course.ever_ready = course.ever_ready or (finding.ready > 0)
        return turns + self._tell_restarts(course, finding, now)

    def _seems_well(self, course: Course, finding: Finding, now: float) -> list[Transition]:
        course.suspect_since = None
        course.well_at = now
        if not course.ill:
            return []
        if course.well_since is None:
            course.well_since = now
        ended = max((pod.restarted_at or 0.0 for pod in course.pods.values()), default=0.0)
        if now - course.well_since < HOLD or now - ended < HOLD_AFTER_CRASH:
            return []
        at, course.ill, course.well_since = course.well_since, False, None
        if finding.desired == 0:
            return [self._turn(course, "recovered", at, "info", f"{_name(course)} is no longer unhealthy", finding)]
        text = f"{_name(course)} recovered, {finding.ready} of {finding.desired} ready"
        detail = f"after {span(at - course.ill_at)}"
        return [self._turn(course, "recovered", at, "good", text, finding, detail)]

    def _seems_ill(self, course: Course, finding: Finding, now: float) -> list[Transition]:
        course.well_since = None
        level: Level = "bad" if finding.ready == 0 and finding.desired > 0 and course.key[1] not in _SHORT else "warn"
        counts = f"{finding.ready} of {finding.desired} ready"
        if course.ill:
            if level == course.level or course.level == "bad":
                return []
            course.level = level
            text = f"{_name(course)} unhealthy, {counts}"
            return [self._turn(course, "unhealthy", now, level, text, finding, _explanation(course, finding))]
        serving = finding.ready > 0 and not finding.failing and not finding.deadline
        # An illness cannot have begun while the workload was seen well, whatever its pods' clocks say. Where they come
        # later than their workload, they know better since when.
        began = max(_began(finding) or now, course.well_at or 0.0)
        course.suspect_since = min(began, now if course.suspect_since is None else course.suspect_since)
        if serving and now < course.rolling_until:
            course.suspect_since = now  # replicas are missing because they are being replaced
        if now - course.suspect_since < self._patience(course, finding, now):
            return []
        at, course.ill, course.suspect_since = course.suspect_since, True, None
        opened = self._opened.get("pods" if course.pods else "workloads", now)
        if course.well_at is None and not (finding.failing or finding.unready) and course.row is not None:
            at = min(course.row.changed_at or at, at)
        course.ill_at = at
        text = f"{_name(course)} unhealthy, {counts}"
        if at < opened and course.well_at is None:
            text = f"{_name(course)} already unhealthy {OPENED}, {counts}"
        course.level = level
        course.restarts_untold, course.restarts_told_at = 0, now
        return [self._turn(course, "unhealthy", at, level, text, finding, _explanation(course, finding))]

    def _patience(self, course: Course, finding: Finding, now: float) -> float:
        if finding.failing or finding.deadline:
            return 0.0
        if not course.ever_ready and now - _newest(course) < STARTUP:
            return STARTUP
        return 0.0 if finding.ready == 0 else DEBOUNCE

    def _tell_restarts(self, course: Course, finding: Finding, now: float) -> list[Transition]:
        """Containers that ended and came back: told at intervals, under the illness's own key while there is one."""
        if course.restarts_untold == 0 or now - course.restarts_told_at < REPEAT:
            return []
        told, course.restarts_untold, course.restarts_told_at = course.restarts_untold, 0, now
        last = max(course.pods.values(), key=lambda pod: pod.restarted_at or 0.0)
        # Those of pods that have gone came before all of them were well.
        at = min(last.restarted_at or now, course.well_since or now, now)
        times = "once" if told == 1 else f"{told} times"
        detail = f"{_last_end(last) or 'ended'} · {last.name}"
        if course.ill:
            text = f"{_name(course)} unhealthy, {finding.ready} of {finding.desired} ready"
            return [self._turn(course, "unhealthy", at, course.level, text, finding, _explanation(course, finding))]
        text = f"{_name(course)} restarted {times}"
        return [self._turn(course, "restarts", at, "warn", text, finding, detail)]

    def _turn(
        self, course: Course, what: str, at: float, level: Level, text: str, finding: Finding, detail: str = ""
    ) -> Transition:
        namespace, kind, name = course.key
        sick = sorted([*finding.failing, *finding.unready], key=lambda pod: (pod.health, pod.name))
        return turn(
            f"workload/{namespace}/{name}/{what}",
            at,
            level,
            text,
            detail,
            namespace=namespace,
            kind=kind,
            name=name,
            desired=finding.desired,
            ready=finding.ready,
            restarts=sum(pod.restarts for pod in course.pods.values()),
            pods=[{"name": pod.name, "status": pod.status, "restarts": pod.restarts} for pod in sick[:5]],
        )


def _changed(snapshot: Snapshot[Any], held: Mapping[str, Any], version: int) -> Iterable[str]:
    if snapshot.changed is not None and snapshot.version == version + 1:
        return snapshot.changed
    return list(held.keys() | snapshot.rows.keys())


def _key_of(pod: Pod) -> Key:
    if pod.owner is None or pod.owner.kind == "Node":
        return pod.namespace, "Pod", pod.name
    return pod.namespace, pod.owner.kind, pod.owner.name


def _examine(course: Course) -> Finding:
    # A pod of a workload that ended for good (evicted) has been replaced; a Job's or a bare pod's end is the news.
    replaced = course.row is not None or course.key[1] in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
    failing, unready, ready, present = [], [], 0, 0
    for pod in course.pods.values():
        over = pod.phase in ("Succeeded", "Failed")
        if pod.deleting_since is not None or pod.health is _DORMANT or (over and replaced):
            continue
        present += 1
        if pod.health is _FAILING:
            failing.append(pod)
        elif pod.total > 0 and pod.ready == pod.total and pod.unready_since is None:
            ready += 1
        else:
            unready.append(pod)
    row = course.row
    if row is None:
        return Finding(present, ready, tuple(failing), tuple(unready), deadline=False)
    # The workload's own count lags its pods' by a moment; where both are seen the smaller one is the careful one.
    counted = min(row.ready, ready) if course.pods else row.ready
    deadline = row.condition in ("ProgressDeadlineExceeded", "ReplicaFailure")
    if row.desired == 0:
        return Finding(0, counted, (), (), deadline=False)
    return Finding(row.desired, counted, tuple(failing), tuple(unready), deadline)


def _rolling(row: Workload) -> bool:
    return row.condition == "progressing" and (
        row.updated < row.desired or "termination" in row.message or "observed" in row.message
    )


def _newest(course: Course) -> float:
    return max((pod.created_at for pod in course.pods.values()), default=course.row.created_at if course.row else 0.0)


def _began(finding: Finding) -> float | None:
    """Since when its pods are ill, by their own conditions; None when it is not its pods."""
    return min((pod.unready_since or pod.created_at for pod in finding.failing or finding.unready), default=None)


def _explanation(course: Course, finding: Finding) -> str:
    """``CrashLoopBackOff, exit 1 · 21 restarts``: the commonest trouble of its pods, else the rollout's own words."""
    parts: list[str] = []
    if finding.failing:
        words = Counter((pod.status, _last_exit(pod)) for pod in finding.failing)
        (status, code), many = words.most_common(1)[0]
        told = f"{status}, exit {code}" if code is not None else status
        parts.append(told if many == len(finding.failing) == finding.desired else f"{many} × {told}")
        if code is None and (message := next((pod.message for pod in finding.failing if pod.message), "")):
            parts.append(message)
    elif finding.unready:
        words_unready = Counter(pod.status for pod in finding.unready)
        status, many = words_unready.most_common(1)[0]
        parts.append(f"{many} × {status}, not ready" if status == "Running" else f"{many} × {status}")
    elif course.row is not None and course.row.message:
        parts.append(course.row.message)
    if finding.deadline and course.row is not None:
        parts.append(course.row.condition)
    restarts = sum(pod.restarts for pod in finding.failing)
    if restarts:
        parts.append(f"{restarts} restart{'s' if restarts > 1 else ''}")
    return " · ".join(parts)


def _last_exit(pod: Pod) -> int | None:
    codes = [
        container.exit_code if container.exit_code is not None else container.last_exit_code
        for container in pod.containers
        if not container.ready
    ]
    return next((code for code in codes if code is not None and code != 0), None)


def _last_end(pod: Pod) -> str:
    ended = max(pod.containers, key=lambda container: container.last_finished_at or 0.0, default=None)
    if ended is None or ended.last_exit_code is None:
        return ""
    return f"{ended.last_reason or 'ended'}, exit {ended.last_exit_code}"


def _name(course: Course) -> str:
    _, kind, name = course.key
    return f"{kind.lower()} {name}" if kind in _SHORT else name


def _summed_up(turns: list[Transition]) -> list[Transition]:
    """At the opening, the worst one by one and the rest in one line: a big cluster always has some that are ill."""
    if len(turns) <= MOST_AT_OPENING:
        return turns
    ordered = sorted(turns, key=lambda each: (each.level != "bad", each.at))
    rest = ordered[MOST_AT_OPENING:]
    by_namespace: defaultdict[str, int] = defaultdict(int)
    for each in rest:
        by_namespace[str(each.evidence.get("namespace", ""))] += 1
    where = ", ".join(f"{many} in {name}" for name, many in sorted(by_namespace.items(), key=lambda item: -item[1])[:5])
    text = f"{len(rest)} more workloads already unhealthy {OPENED}"
    names = [str(each.evidence.get("name", "")) for each in rest[:200]]
    summary = turn("workload/opening", min(each.at for each in rest), "warn", text, where, workloads=names)
    return [*ordered[:MOST_AT_OPENING], summary]
