"""Objects are fetched by kind and shown as YAML; a Secret's values are neither fetched nor shown."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.errors import BadAnswer, ConfigError, NotFound
from probes.objects import KINDS, METADATA_ONLY, events_of, fetch, object_path, to_yaml
from tests.unit.loopback_api import connected, refusal, serving

POD: dict[str, Any] = {
    "kind": "Pod",
    "status": {"phase": "Running"},
    "metadata": {"name": "payment-1", "namespace": "bank", "managedFields": [{"manager": "kubelet"}]},
    "spec": {"nodeName": "n1"},
    "apiVersion": "v1",
}


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Pod", "/api/v1/namespaces/bank/pods/x"),
        ("Node", "/api/v1/nodes/x"),
        ("Deployment", "/apis/apps/v1/namespaces/bank/deployments/x"),
        ("Job", "/apis/batch/v1/namespaces/bank/jobs/x"),
    ],
)
def test_each_kind_has_its_path(kind: str, path: str) -> None:
    assert object_path(kind, "bank", "x") == path


def test_a_name_cannot_climb_out_of_its_path() -> None:
    assert object_path("Pod", "bank", "../../secrets?x") == "/api/v1/namespaces/bank/pods/..%2F..%2Fsecrets%3Fx"


def test_an_unknown_kind_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="no way to fetch a Potato") as refused:
        object_path("Potato", "bank", "x")
    assert all(kind in refused.value.hint for kind in KINDS)


async def test_an_object_comes_whole_or_without_managed_fields(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.path == "/api/v1/namespaces/bank/pods/payment-1"
        return web.json_response(POD)

    async with asyncio.timeout(60), serving(answer) as port, connected(port, tmp_path) as cluster:
        assert await fetch(cluster, "Pod", "bank", "payment-1") == POD
        bare = await fetch(cluster, "Pod", "bank", "payment-1", managed_fields=False)
    assert bare["metadata"] == {"name": "payment-1", "namespace": "bank"}


async def test_of_a_secret_only_the_metadata_is_asked_for(tmp_path: Path) -> None:
    accepted: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        accepted.append(request.headers["Accept"])
        return web.json_response({"kind": "PartialObjectMetadata", "metadata": {"name": "db"}})

    async with asyncio.timeout(60), serving(answer) as port, connected(port, tmp_path) as cluster:
        await fetch(cluster, "Secret", "bank", "db")
    assert accepted == [METADATA_ONLY]


async def test_what_is_gone_or_garbled_is_an_error_of_the_probes(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "gone" in request.path:
            return refusal(404, "NotFound", 'pods "gone" not found')
        return web.Response(text="[1, 2]")

    async with asyncio.timeout(60), serving(answer) as port, connected(port, tmp_path) as cluster:
        with pytest.raises(NotFound, match='pods "gone" not found'):
            await fetch(cluster, "Pod", "bank", "gone")
        with pytest.raises(BadAnswer, match="not a JSON object"):
            await fetch(cluster, "Pod", "bank", "garbled")


async def test_events_of_an_object_come_newest_first(tmp_path: Path) -> None:
    asked: list[dict[str, str]] = []

    def event(uid: str, **fields: object) -> dict[str, object]:
        return {
            "metadata": {"uid": uid, "name": uid, "namespace": "bank", "creationTimestamp": "2026-11-23T07:37:59Z"},
            "involvedObject": {"kind": "Pod", "name": "payment-1", "uid": "u1"},
            "type": "Warning",
            **fields,
        }

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.query))
        old = event("a", reason="Scheduled", eventTime="2026-11-23T07:37:59.352367Z", firstTimestamp=None, source={})
        new = event(
            "b",
            reason="BackOff",
            count=96,
            firstTimestamp="2026-11-23T08:00:00Z",
            lastTimestamp="2026-11-23T09:00:00Z",
            source={"component": "kubelet"},
        )
        return web.json_response({"items": [old, new]})

    async with asyncio.timeout(60), serving(answer) as port, connected(port, tmp_path) as cluster:
        events = await events_of(cluster, "bank", "u1")
    assert asked[0]["fieldSelector"] == "involvedObject.uid=u1"
    assert [(event.reason, event.count, event.reporter) for event in events] == [
        ("BackOff", 96, "kubelet"),
        ("Scheduled", 1, ""),
    ]
    assert events[0].last_at - events[0].first_at == 3600


# YAML


def test_yaml_has_kubectls_order_and_no_managed_fields() -> None:
    assert to_yaml(POD) == (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: payment-1\n  namespace: bank\n"
        "spec:\n  nodeName: n1\nstatus:\n  phase: Running\n"
    )
    assert "managedFields" in to_yaml(POD, managed_fields=True)
    assert "managedFields" in POD["metadata"]


def test_a_secrets_values_are_counted_and_not_shown() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {
            "name": "db",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"p":"aHVudGVyMg=="}}'},
        },
        "data": {"password": "aHVudGVyMg==", "odd": "%%%"},
        "stringData": {"plain": "hunter2"},
    }
    text = to_yaml(secret)
    assert "password: (7 bytes, not shown)" in text
    assert "plain: (7 bytes, not shown)" in text
    assert "hunter2" not in text
    assert "aHVudGVyMg" not in text
    assert secret["data"] == {"password": "aHVudGVyMg==", "odd": "%%%"}


def test_a_log_like_value_is_a_block_and_a_long_one_stays_on_its_line() -> None:
    text = to_yaml({"data": {"config": "a: 1\nb: 2\n", "long": "word " * 200}})
    assert "config: |\n    a: 1\n    b: 2\n" in text
    assert f"long: '{'word ' * 200}'" in text


def test_terminal_escapes_are_written_as_escapes() -> None:
    text = to_yaml({"message": "\x1b]52;c;x\x07 red \x1b[31m\nsecond"})
    assert "\x1b" not in text
    assert "\x07" not in text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(st.dictionaries(st.text(min_size=1, max_size=8), json_values))
def test_yaml_reads_back_as_the_same_object(content: dict[str, Any]) -> None:
    found = {"kind": "ConfigMap", "metadata": {"name": "x"}} | {f"x-{key}": value for key, value in content.items()}
    assert yaml.safe_load(to_yaml(found)) == json.loads(json.dumps(found))
