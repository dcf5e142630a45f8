"""The rows of what runs pods: deployments, replica sets, stateful and daemon sets, jobs, cron jobs, autoscalers."""

from __future__ import annotations

from typing import Any, Final

from drill import durations
from drill.columns import NONE, Cell, Cells, Columns, age, label_selector, pairs, since, template

Json = dict[str, Any]
_TEMPLATE: Final = ("Containers", "Images", "Selector")


def _parts(obj: Json) -> tuple[str, Json, Json]:
    return obj["metadata"]["name"], obj.get("spec") or {}, obj.get("status") or {}


def _deployment(obj: Json) -> Cells:
    name, spec, status = _parts(obj)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    return [name, ready, updated, available, age(obj), *template(spec), label_selector(spec.get("selector"))]


def _replica_set(obj: Json) -> Cells:
    name, spec, status = _parts(obj)
    selector = spec.get("selector")
    shown = pairs(selector) if obj.get("kind") == "ReplicationController" else label_selector(selector)
    counts = (spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0))
    return [name, *counts, age(obj), *template(spec), shown]


def _stateful_set(obj: Json) -> Cells:
    name, spec, status = _parts(obj)
    return [name, f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}", age(obj), *template(spec)]


def _daemon_set(obj: Json) -> Cells:
    name, spec, status = _parts(obj)
    node_selector = ((spec.get("template") or {}).get("spec") or {}).get("nodeSelector")
    return [
        name,
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        pairs(node_selector),
        age(obj),
        *template(spec),
        label_selector(spec.get("selector")),
    ]


def _job_status(obj: Json) -> str:
    _, spec, status = _parts(obj)
    true = {c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"}
    for condition, word in (
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ):
        if condition in true:
            return word
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return "Suspended" if spec.get("suspend") else "Running"


def _job(obj: Json) -> Cells:
    name, spec, status = _parts(obj)
    succeeded, parallelism = status.get("succeeded", 0), spec.get("parallelism", 1)
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    else:
        completions = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    started, done = durations.instant(status.get("startTime")), durations.instant(status.get("completionTime"))
    duration: Cell = ""
    if started is not None:
        duration = durations.human(done - started) if done is not None else since(status["startTime"])
    return [
        name,
        _job_status(obj),
        completions,
        duration,
        age(obj),
        *template(spec),
        label_selector(spec.get("selector")),
    ]


def _cron_job(obj: Json) -> Cells:
    name, spec, status = _parts(obj)
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = status.get("lastScheduleTime")
    return [
        name,
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        since(last) if last else NONE,
        age(obj),
        *template(job),
        label_selector(job.get("selector")),
    ]


def _metric(metric: Json, current: Json) -> str:
    resource = metric.get("resource") or {}
    target = resource.get("target") or {}
    now = ((current.get("resource") or {}).get("current")) or {}
    if "averageUtilization" in target:
        seen = f"{now['averageUtilization']}%" if "averageUtilization" in now else "<unknown>"
        return f"{resource.get('name', '')}: {seen}/{target['averageUtilization']}%"
    return f"{now.get('averageValue', '<unknown>')}/{target.get('averageValue', '<auto>')}"


def _autoscaler(obj: Json) -> Cells:
    name, spec, status = _parts(obj)
    reference = spec.get("scaleTargetRef") or {}
    metrics, currents = spec.get("metrics") or [], status.get("currentMetrics") or []
    targets = [_metric(m, currents[i] if i < len(currents) else {}) for i, m in enumerate(metrics)]
    return [
        name,
        f"{reference.get('kind', '')}/{reference.get('name', '')}",
        ", ".join(targets) or NONE,
        str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(obj),
    ]


def _controller_revision(obj: Json) -> Cells:
    owners = [o for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")]
    owner = f"{owners[0]['kind'].lower()}.apps/{owners[0]['name']}" if owners else NONE
    return [obj["metadata"]["name"], owner, obj.get("revision", 0), age(obj)]


def _disruption_budget(obj: Json) -> Cells:
    name, spec, status = _parts(obj)
    bounds = (str(spec.get("minAvailable", "N/A")), str(spec.get("maxUnavailable", "N/A")))
    return [name, *bounds, status.get("disruptionsAllowed", 0), age(obj)]


_REPLICAS: Final = Columns(
    ("Name", "Desired", "Current", "Ready", "Age"), _replica_set, _TEMPLATE, ("Desired", "Current", "Ready")
)

PRINTERS: Final = {
    "Deployment": Columns(("Name", "Ready", "Up-to-date", "Available", "Age"), _deployment, _TEMPLATE),
    "ReplicaSet": _REPLICAS,
    "ReplicationController": _REPLICAS,
    "StatefulSet": Columns(("Name", "Ready", "Age"), _stateful_set, ("Containers", "Images")),
    "DaemonSet": Columns(
        ("Name", "Desired", "Current", "Ready", "Up-to-date", "Available", "Node Selector", "Age"),
        _daemon_set,
        _TEMPLATE,
        ("Desired", "Current", "Ready", "Up-to-date", "Available"),
    ),
    "Job": Columns(("Name", "Status", "Completions", "Duration", "Age"), _job, _TEMPLATE),
    "CronJob": Columns(
        ("Name", "Schedule", "Timezone", "Suspend", "Active", "Last Schedule", "Age"), _cron_job, _TEMPLATE, ("Active",)
    ),
    "HorizontalPodAutoscaler": Columns(
        ("Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"), _autoscaler
    ),
    "ControllerRevision": Columns(("Name", "Controller", "Revision", "Age"), _controller_revision),
    "PodDisruptionBudget": Columns(
        ("Name", "Min Available", "Max Unavailable", "Allowed Disruptions", "Age"), _disruption_budget
    ),
}
