"""The RBAC manifests grant what the console's probes and mitigations say they need, and nothing else."""

from __future__ import annotations

from pathlib import Path

import yaml

from runbook.mitigations import TABLE
from tui.permissions import NEEDS

RBAC = Path(__file__).parents[2] / "docs" / "rbac"

Grant = tuple[str, str, str]  # group, resource, verb

# What plans, the namespace dialog and details read besides what the probes watch.
READ = {
    *(
        (group, resource, verb)
        for group, resource in (("", "services"), ("", "namespaces"))
        for verb in ("get", "list")
    ),
    *(("", resource, "get") for resource in ("pods", "nodes", "events")),
    *(("apps", resource, "get") for resource in ("deployments", "statefulsets", "daemonsets")),
    *(("apps", resource, verb) for resource in ("replicasets", "controllerrevisions") for verb in ("get", "list")),
    ("discovery.k8s.io", "endpointslices", "list"),
    ("policy", "poddisruptionbudgets", "list"),
    ("autoscaling", "horizontalpodautoscalers", "list"),
    *(("networking.k8s.io", "networkpolicies", verb) for verb in ("get", "list")),
    *(("networking.istio.io", "virtualservices", verb) for verb in ("get", "list")),
    *(("metrics.k8s.io", resource, verb) for resource in ("nodes", "pods") for verb in ("get", "list")),
    ("", "events", "list"),  # core v1, where events.k8s.io is not served
    ("", "events", "watch"),
    ("", "secrets", "get"),  # a Helm release's own record
}


def granted(file: str) -> set[Grant]:
    return {
        (group, resource, verb)
        for role in yaml.safe_load_all((RBAC / file).read_text())
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def named(resource: str, subresource: str) -> str:
    return f"{resource}/{subresource}" if subresource else resource


def test_the_viewer_may_read_exactly_what_probes_and_plans_read() -> None:
    watched = {(need.group, named(need.resource, need.subresource), need.verb) for need in NEEDS}

    assert granted("viewer.yaml") == watched | READ


def test_the_responder_may_do_exactly_what_the_mitigations_need_besides() -> None:
    needed = {
        (need.group, named(need.resource, need.subresource), need.verb)
        for mitigation in TABLE.values()
        for need in mitigation.permissions("banking-platform-prod")
    }

    assert granted("responder.yaml") == needed - granted("viewer.yaml")
