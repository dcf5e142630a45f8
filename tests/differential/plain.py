"""A transcript without what no two servers have in common: UIDs, versions, times, hashes, made-up names, addresses.

They are not thrown away but numbered in the order in which they appear, so that an owner's UID must still be the UID of
the owner, and a write that changed nothing must still leave the version as it was.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from tests.differential.side import Said

Json = dict[str, Any]
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_ADDRESS: Final = re.compile(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
_HASH: Final = re.compile(r'"pod-template-hash": ?"([a-z0-9]+)"')
_NAMED: Final = re.compile(r'"generateName": ?"([^"]+)"')
# What controllers write all the time: how often, differs.
_MOVING: Final = ("Deployment", "ReplicaSet", "Namespace", "Node", "StatefulSet", "ServiceAccount")
# What controllers and kubelets own is not compared: the platform's own write without a name. Python is the lab's.
_CONTROLLERS: Final = ("kube-controller-manager", "kube-scheduler", "kubelet", "Python")
_NODES: Final = ("nodeName", "host", "reportingInstance")


def _place(cause: Json) -> str:
    """Conflicts come in no order, other causes in the order in which they are found."""
    return f"{cause.get('message')}{cause.get('field')}" if cause.get("reason") == "FieldManagerConflict" else ""


class Plain:
    """Makes one side's transcript comparable."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._numbers: dict[str, dict[str, int]] = {}
        self._hashes: list[str] = []

    def transcript(self, said: list[Said]) -> list[Json]:
        for one in said:
            self._hashes += [found for found in _HASH.findall(json.dumps(one.body)) if found not in self._hashes]
        return [self._step(one) for one in said]

    def _step(self, said: Said) -> Json:
        text = json.dumps(said.body)
        for number, found in enumerate(self._hashes, 1):
            text = re.sub(rf"\b{found}\b", f"HASH{number}", text)
        for prefix in dict.fromkeys(_NAMED.findall(text)):
            text = re.sub(rf"{re.escape(prefix)}([bcdfghjklmnpqrstvwxz2-9]{{5}})\b", f"{prefix}RANDOM", text)
        text = text.replace(self._namespace, "NS")
        body = self._value(json.loads(text), "")
        if said.step.startswith("in any order"):  # older watch caches have none
            body["items"].sort(key=lambda item: item["metadata"]["name"])
        return {"step": said.step, "status": said.status, "headers": said.headers, "body": body}

    def _number(self, kind: str, text: str) -> str:
        numbers = self._numbers.setdefault(kind, {})
        return f"{kind}-{numbers.setdefault(text, len(numbers) + 1)}"

    def _value(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            if key == "managedFields":  # they are sorted by time, among others
                theirs = [entry for entry in value if entry["manager"] not in _CONTROLLERS]
                value = sorted(theirs, key=lambda entry: (entry["operation"], entry["manager"], entry["apiVersion"]))
            if key == "causes":  # a real server finds some of them several times over
                value = sorted((one for at, one in enumerate(value) if one not in value[:at]), key=_place)
            items = [self._value(item, key) for item in value]
            random = [item for item in items if isinstance(item, dict) and "RANDOM" in json.dumps(item.get("metadata"))]
            return sorted(items, key=json.dumps) if random else items
        if isinstance(value, str):
            return self._text(value, key)
        return value

    def _object(self, value: Json) -> Json:
        made = {self._text(key, ""): self._value(inner, key) for key, inner in value.items() if key != "metadata"}
        metadata = value.get("metadata")
        if isinstance(metadata, dict):
            plain = self._object({key: inner for key, inner in metadata.items() if key != "resourceVersion"})
            if "generateName" in metadata:  # of several that were made at once, nobody knows which is which
                plain["uid"] = "some uid"
            if plain.get("managedFields") == []:
                del plain["managedFields"]
            if "resourceVersion" in metadata:
                plain["resourceVersion"] = self._version(value, metadata)
            made["metadata"] = plain
        elif metadata is not None:
            made["metadata"] = metadata
        return made

    def _version(self, value: Json, metadata: Json) -> str:
        uid = metadata.get("uid")
        if uid is None or value.get("kind") in _MOVING or "generateName" in metadata:
            return "some version" if metadata["resourceVersion"] not in ("", "0") else metadata["resourceVersion"]
        return self._number(f"version of {self._number('uid', uid)}", metadata["resourceVersion"])

    def _text(self, text: str, key: str) -> str:
        if key == "resourceVersion":
            return "some version"
        if key == "cells" and re.fullmatch(r"(\d+[smhdy]){1,2}", text):
            return "some age"
        if key == "continue" and text:
            return "some token"
        if key in _NODES and text:
            return "some node"
        text = _UUID.sub(lambda found: self._number("uid", found.group()), text)
        text = _TIME.sub(lambda found: "some time" + (" with fractions" if found.group(1) else ""), text)
        text = re.sub(r"\(\d\d+\)", "(some version)", text)
        text = _ADDRESS.sub("some address", text)
        return re.sub(r"\b127\.0\.0\.1:\d+\b|some address:\d+", "some address", text)
