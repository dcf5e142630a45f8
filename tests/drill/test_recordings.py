"""The recorded answers of a real API server, asked again of the platform: refusals word by word, the rest by shape."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drill.kinds import kind
from drill.store import ObjectStore
from tests.drill.wire import PROD, Wire, serving, until_end

Json = dict[str, Any]
RECORDINGS = Path(__file__).parents[3] / "shared" / "wire" / "kubernetes-1.36"
# What the platform does otherwise, on purpose: it has fewer groups and resources (02, 03), streams initial events (10);
# and a page of a list (06) that was begun elsewhere.
OTHERWISE = ("02-", "03-", "06-", "10-")

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings at {RECORDINGS}")


def recorded(name: str) -> Json:
    found: Json = msgspec.json.decode(next(RECORDINGS.glob(f"{name}*")).read_bytes())
    return found


def the_recorded_cluster() -> ObjectStore:
    store = ObjectStore()
    for namespace in ("default", PROD):
        store.create(kind("namespaces"), {"metadata": {"name": namespace}, "status": {"phase": "Active"}})
    sources = (("05", "pods"), ("06", "pods"), ("08", "pods"), ("39", "pods"), ("13", "deployments"))
    for name, plural in (*sources, ("14", "replicasets"), ("15", "nodes"), ("18", "events")):
        for item in recorded(name)["body"]["items"]:
            if store.get(kind(plural), item["metadata"].get("namespace"), item["metadata"]["name"]) is None:
                store.create(kind(plural), item)
    payment = recorded("29")["body"]
    annotations = {"deployment.kubernetes.io/revision": "1"}
    store.create(
        kind("deployments"),
        {
            **payment,
            "metadata": {**payment["metadata"], "annotations": annotations, "managedFields": []},
        },
        manager="kubectl-client-side-apply",
    )
    for item in recorded("20")["body"]["items"]:
        store.create(kind("secrets"), {**item, "type": "helm.sh/release.v1", "data": {"release": "eA=="}})
    # The store is younger than the recorded one; its versions must not be larger than what the requests name.
    for number in range(600):
        store.create(kind("configmaps"), {"metadata": {"name": f"filler-{number}", "namespace": "default"}})
    return store


class RecordedMetrics:
    def nodes(self) -> list[Json]:
        items: list[Json] = recorded("16")["body"]["items"]
        return items

    def pods(self, namespace: str | None) -> list[Json]:
        return []


def requests() -> list[str]:
    if not RECORDINGS.is_dir():
        return []
    return sorted(path.stem for path in RECORDINGS.glob("*.json") if not path.name.startswith(OTHERWISE))


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where the shape differs: keys, and the types of values."""
    if path.endswith(("fieldsV1", ".labels", ".annotations", "[0].labels")):
        return []
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = [f"{path}.{key}: missing" for key in theirs.keys() - ours.keys()]
        found += [f"{path}.{key}: extra" for key in ours.keys() - theirs.keys()]
        for key in theirs.keys() & ours.keys():
            found += differences(ours[key], theirs[key], f"{path}.{key}")
        return found
    if isinstance(theirs, list) and isinstance(ours, list):
        return differences(ours[0], theirs[0], f"{path}[0]") if ours and theirs else []
    if type(ours) is not type(theirs):
        return [f"{path}: {ours!r} instead of {theirs!r}"]
    return []


async def play(wire: Wire, recording: Json) -> tuple[int, str, Any]:
    request = recording["request"]
    authorization = request["headers"].get("Authorization", "")
    user = re.search(r"\(user (\w+)\)", authorization)
    headers = {name.replace("-", "_"): value for name, value in request["headers"].items() if name != "Authorization"}
    if "watch=1" in request["path"]:
        # A recording of seconds is not waited for: one is enough to see what comes.
        path = re.sub(r"timeoutSeconds=\d+", "timeoutSeconds=1", request["path"])
        async with wire.watch(path, **headers) as events:
            return 200, "application/json", {"watch_lines": await until_end(events)}
    answer = await wire.ask(
        request["method"], request["path"], request["body"], user=user.group(1) if user else None, **headers
    )
    return answer.status, answer.headers["Content-Type"], answer.body


# Absent on purpose or by the state of the store, in any answer.
TOLERATED = re.compile(
    r"managedFields|remainingItemCount|\.continue|\.spec\.template\.metadata\.annotations: extra"
    r"|\.metadata\.(labels|generateName|ownerReferences|generation|uid): (extra|missing)$"
)


@pytest.mark.parametrize("name", requests())
async def test_the_platform_answers_as_recorded(name: str) -> None:
    recording = recorded(name)
    store = the_recorded_cluster()
    async with serving(store, metrics=RecordedMetrics()) as wire:
        if name.startswith("12-"):
            store.compact()
        if name.startswith("38-"):
            await play(wire, recorded("37"))
        if name.startswith(("41-", "42-")):
            recording["request"]["path"] = recording["request"]["path"].replace("&timestamps=true", "")
        status, media, body = await play(wire, recording)
    assert status == recording["status"]
    assert media.split(";")[0] == recording["headers"]["Content-Type"].split(";")[0]
    if status >= 400:
        assert body == recording["body"]
    elif name.startswith("12-"):
        error, expected = body["watch_lines"][0], recording["body"]["watch_lines"][0]
        assert error["type"] == "ERROR"
        assert re.fullmatch(r"too old resource version: 2 \(\d+\)", error["object"].pop("message"))
        del expected["object"]["message"]
        assert error["object"] == expected["object"]
    elif name.startswith("09-"):
        # Nothing changes here; what ends the watch is the bookmark.
        bookmark = body["watch_lines"][-1]
        assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "Pod")
        assert list(bookmark["object"]["metadata"]) == ["resourceVersion"]
    elif name.startswith("11-"):
        added = body["watch_lines"][0]
        assert (added["type"], added["object"]["kind"], added["object"]["apiVersion"]) == ("ADDED", "Pod", "v1")
    elif not isinstance(body, str):
        left = [line for line in differences(body, recording["body"]) if not TOLERATED.search(line)]
        assert left == []
