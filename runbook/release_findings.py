"""What speaks for and against rolling a Helm release back: its state, its hooks, what runs of it, who else holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from probes.errors import NotFound, ProbeError
from probes.helm_secret import Hook
from runbook import preflight
from runbook.errors import Changed, NotSent, Refused, Uncertain
from runbook.helm_permissions import ON_ROLLBACK, is_cluster_wide, plural
from runbook.manifests import Document, Ident, Unreadable
from runbook.media import APPLY
from runbook.plan import Finding, Json, Level
from runbook.releases import UNDER_WAY, History, Revision, age
from runbook.scene import api_path, digest, spec_of
from runbook.strategies import at_once, obstacles
from runbook.verification import rollout_of
from runbook.workloads import PLURALS

if TYPE_CHECKING:
    from runbook.scene import Scene

HELM_GIVES_UP = 300.0  # seconds; helm's own --timeout, unless somebody gives another one
MOST_LIVE = 12  # objects that are looked at in the cluster
CONFLICT = 409
_BROUGHT_HERE = ("pre-install", "post-install", "pre-upgrade", "post-upgrade")
_RUNS = ("Job", "Pod")
_HELM = "helm"  # its field manager
_LEFT_BEHIND = ("pending-upgrade", "pending-rollback")  # of what can be pending, what helm itself rolls back from


async def standing(scene: Scene, history: History) -> Finding:
    """Whether the release may be touched at all. Red while somebody's helm is at it, or was killed at it."""
    current = history.current
    what = f"revision {current.number} is {current.status}"
    if current.status not in UNDER_WAY:
        level = Level.AMBER if current.status in ("uninstalled", "unknown", "") else Level.GREEN
        return Finding("release", level, f"{what}, not pending")
    since = current.stored.updated
    when = f" since {age(scene.now() - since)}" if since is not None else ""
    who = await _writer(scene, current)
    if current.status in _LEFT_BEHIND and since is not None and scene.now() - since > HELM_GIVES_UP:
        text = (
            f"{what}{when}{who}: its helm was killed, or waits longer than usual; helm refuses every upgrade "
            "(another operation is in progress) until the release is rolled back"
        )
        return Finding("release", Level.AMBER, text, "make sure that no pipeline's helm is at it any more")
    advice = (
        f"wait until it ended; if nobody's helm runs there any more: "
        f"kubectl delete secret {current.stored.secret} -n {history.namespace}"
    )
    return Finding("release", Level.RED, f"{what}{when}{who}: somebody's helm is at it, or was killed at it", advice)


async def _writer(scene: Scene, revision: Revision) -> str:
    try:
        secret = await scene.fetch("Secret", revision.stored.namespace, revision.stored.secret)
    except ProbeError:
        return ""
    fields = (secret.get("metadata") or {}).get("managedFields") or ()
    managers = dict.fromkeys(str(entry.get("manager") or "") for entry in fields)
    named = ", ".join(filter(None, managers))
    words = revision.release.description if revision.release else ""
    return f" (by {named}: {words})" if named and words else f" (by {named})" if named else ""


def choice(history: History, chosen: Revision, row: int) -> list[Finding]:
    """What is to be said about the revision that is gone back to."""
    found = []
    if not chosen.succeeded:
        text = f"revision {chosen.number} is {chosen.status}: it did not succeed when it was deployed"
        found.append(Finding("revision", Level.AMBER, text))
    by = history.given_up(chosen.number)
    if by is not None:
        text = f"revision {chosen.number} was rolled back from by revision {by}"
        found.append(Finding("revision", Level.AMBER, text, "make sure that it was not the cause"))
    if history.origin(chosen.number) == history.origin(history.current.number):
        text = f"revision {chosen.number} has the content of what runs now: nothing would change"
        found.append(Finding("revision", Level.AMBER, text))
    if 0 < row < history.current.number:
        gone = history.given_up(row)
        text = f"revision {row}, whose row this is, is not the last: everything after it is rolled back, too"
        if gone is not None:
            text = f"revision {row}, whose row this is, was rolled back already, by revision {gone}"
        found.append(Finding("revision", Level.AMBER, text))
    if chosen.release is None and chosen.problem:
        text = f"revision {chosen.number} cannot be read, and helm may not be able to either: {chosen.problem}"
        found.append(Finding("revision", Level.AMBER, text))
    return found


def hooks(undone: Iterable[Revision], chosen: Revision) -> list[Finding]:
    """Jobs that ran beside the manifests that go, and those that will run: neither shows in a diff."""
    found = []
    for revision in undone:
        ran = [hook for hook in _hooks(revision) if hook.kind in _RUNS and set(hook.events or ()) & set(_BROUGHT_HERE)]
        # A rollback keeps the hooks of the revision it went back to, and ran none of those.
        ran = [hook for hook in ran if revision.back_to is None and _has_run(hook)]
        if ran:
            what = "a migration job" if any("migrat" in hook.name.lower() for hook in ran) else "a job"
            text = f"revision {revision.number} ran {what} ({_named(ran)}); rolling back does not undo it"
            found.append(Finding("hooks", Level.AMBER, text, "ask who knows the database before you go on"))
    runs = [hook for hook in _hooks(chosen) if set(hook.events or ()) & set(ON_ROLLBACK)]
    if runs:
        text = f"rolling back runs {_named(runs)} of revision {chosen.number}; if it fails, the release stays pending"
        found.append(Finding("hooks", Level.AMBER, text))
    return found


def _hooks(revision: Revision) -> Sequence[Hook]:
    return (revision.release.hooks if revision.release else None) or ()


def _has_run(hook: Hook) -> bool:
    """Helm writes down when a hook ran; one without a word of it is taken to have run."""
    return hook.last_run is None or bool(hook.last_run.phase)


def _named(found: Sequence[Hook]) -> str:
    return ", ".join(f"{hook.kind}/{hook.name}" if hook.kind != "Job" else hook.name for hook in found[:4])


# ---------------------------------------------------------------- what runs of it


async def live_workloads(scene: Scene, idents: Iterable[Ident]) -> dict[Ident, Json | None]:
    """The first workloads among these as the cluster has them: None for one that is not there, absent if unknown."""
    wanted = [ident for ident in dict.fromkeys(idents) if ident.kind in PLURALS][:MOST_LIVE]

    async def look(ident: Ident) -> Json | ProbeError | None:
        try:
            return await scene.fetch(ident.kind, ident.namespace, ident.name)
        except NotFound:
            return None
        except ProbeError as error:
            return error

    seen = await asyncio.gather(*map(look, wanted))
    return {
        ident: obj for ident, obj in zip(wanted, seen, strict=True) if obj is None or not isinstance(obj, ProbeError)
    }


def fingerprints(live: dict[Ident, Json | None]) -> list[list[str]]:
    """[kind, namespace, name, digest] of each, as a plan keeps it: what it was shown for. No digest: not there."""
    return [[ident.kind, ident.namespace, ident.name, _fingerprint(obj)] for ident, obj in live.items()]


async def check_unchanged(scene: Scene, planned: Sequence[Sequence[str]]) -> None:
    """Raises `Changed` when one of the workloads is another than it was planned for, `ProbeError` when nobody knows.

    Their release can be the same all the while: somebody scaled or rolled out by hand.
    """

    async def look(kind: str, namespace: str, name: str) -> str:
        try:
            return _fingerprint(await scene.fetch(kind, namespace, name))
        except NotFound:
            return ""

    now = await asyncio.gather(*(look(kind, namespace, name) for kind, namespace, name, _ in planned))
    for (kind, _, name, before), after in zip(planned, now, strict=True):
        if before != after:
            what = "is not there any more" if not after else "was changed by somebody else since the plan was shown"
            raise Changed(f"{kind.lower()}/{name} {what}; nothing was sent")


def _fingerprint(obj: Json | None) -> str:
    return digest([(obj.get("metadata") or {}).get("uid"), spec_of(obj)]) if obj is not None else ""


def capacity(live: dict[Ident, Json | None], touched: Iterable[Ident], deleted: Iterable[Ident]) -> list[Finding]:
    """Who serves meanwhile, workload by workload."""
    found: list[Finding] = []
    calm: list[str] = []
    for ident in touched:
        obj = live.get(ident)
        if obj is None:
            continue
        rollout = rollout_of(obj)
        if rollout.ready == 0:
            text = f"{ident.name} has 0 of {rollout.wanted} ready, nothing is left to lose"
            found.append(Finding("capacity", Level.GREEN, text))
        elif at_once(obj):
            text = f"all {rollout.ready} ready pods of {ident.name} go at once: its strategy is Recreate"
            found.append(Finding("capacity", Level.AMBER, text))
        else:
            calm.append(f"{ident.name} ({rollout.ready} of {rollout.wanted} ready)")
        found += obstacles(obj)
    for ident in deleted:
        obj = live.get(ident)
        if obj is not None:
            text = f"{ident} is not in the chosen revision: it will be deleted, with {rollout_of(obj).ready} ready pods"
            found.append(Finding("capacity", Level.AMBER, text))
    if calm:
        more = f" and {len(calm) - 4} more" if len(calm) > 4 else ""
        text = f"{', '.join(calm[:4])}{more}: replaced one by one"
        found.append(Finding("capacity", Level.GREEN, text))
    return found


def hand_made(live: dict[Ident, Json | None], chosen: dict[Ident, Document]) -> list[Finding]:
    """Numbers of replicas that somebody changed by hand and that helm puts back."""
    found = []
    for ident, obj in live.items():
        if obj is None or ident not in chosen:
            continue
        try:
            spec = chosen[ident].object.get("spec")
        except Unreadable:
            continue
        stored = spec.get("replicas") if isinstance(spec, dict) else None
        now = (obj.get("spec") or {}).get("replicas")
        if isinstance(stored, int) and isinstance(now, int) and stored != now:
            text = f"helm scales {ident.name} from {now} to {stored}, which is what the chart says"
            found.append(Finding("replicas", Level.AMBER, text))
    return found


def others(scene: Scene, live: dict[Ident, Json | None]) -> list[Finding]:
    """Whoever else changed these workloads lately; Helm's own changes are what this is about."""
    for ident, obj in live.items():
        if obj is None:
            continue
        metadata = obj.get("metadata") or {}
        fields = [one for one in metadata.get("managedFields") or () if one.get("manager") != _HELM]
        said = preflight.others(scene, {**obj, "metadata": {**metadata, "managedFields": fields}})
        for finding in said:
            if finding.level is not Level.GREEN:
                return [Finding("alone", finding.level, f"{ident.name}: {finding.text}", finding.advice)]
    if not live:
        return []
    return [Finding("alone", Level.GREEN, "nobody else changed its workloads in the last 5 minutes")]


def reverted(live: dict[Ident, Json | None]) -> list[Finding]:
    """Controllers that would put it back, each told once."""
    said = [finding for obj in live.values() if obj is not None for finding in preflight.reverted_by(obj)]
    return list({finding.text: finding for finding in said}.values())


# ---------------------------------------------------------------- fields that belong to somebody else


async def conflicts(
    scene: Scene, release: str, namespace: str, chosen: dict[Ident, Document], suspects: Iterable[Ident]
) -> list[str]:
    """What Helm 4's server-side apply will run into, in the server's own words: a dry run of what it will send."""

    async def rehearse(ident: Ident) -> str:
        try:
            body = _as_helm_sends(chosen[ident].object, release, namespace)
        except Unreadable:
            return ""
        inside = "" if is_cluster_wide(ident.kind) else ident.namespace
        path = api_path(ident.api_version, inside, plural(ident.kind), ident.name)
        try:
            await scene.rehearsal.patch(path, body, APPLY, {"fieldManager": _HELM})
        except Refused as refusal:
            return f"{ident}: {refusal}" if refusal.status == CONFLICT else ""
        except (NotSent, Uncertain):
            return ""
        return ""

    wanted = [ident for ident in dict.fromkeys(suspects) if ident in chosen][:MOST_LIVE]
    return [words for words in await asyncio.gather(*map(rehearse, wanted)) if words]


def suspects(live: dict[Ident, Json | None]) -> list[Ident]:
    """Workloads that somebody beside Helm has written to."""
    return [ident for ident, obj in live.items() if obj is not None and any(map(_foreign, _fields(obj)))]


def _fields(obj: Json) -> Sequence[Json]:
    return (obj.get("metadata") or {}).get("managedFields") or ()


def _foreign(entry: Json) -> bool:
    return entry.get("manager") != _HELM and entry.get("subresource") != "status"


def _as_helm_sends(obj: Json, release: str, namespace: str) -> Json:
    """With the marks that Helm puts on everything (pkg/action/validate.go, setMetadataVisitor)."""
    metadata = obj.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    labels, annotations = metadata.get("labels"), metadata.get("annotations")
    metadata["labels"] = {**(labels if isinstance(labels, dict) else {}), "app.kubernetes.io/managed-by": "Helm"}
    metadata["annotations"] = {
        **(annotations if isinstance(annotations, dict) else {}),
        "meta.helm.sh/release-name": release,
        "meta.helm.sh/release-namespace": namespace,
    }
    return {**obj, "metadata": metadata}
