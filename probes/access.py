"""Asks the API server what the person may do, before they try: SelfSubjectAccessReview, which creates nothing."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from probes.cluster import Cluster
from probes.errors import BadAnswer

_RESOURCE = "selfsubjectaccessreviews"


class Allowed(NamedTuple):
    """``reason`` is the authorizer's own text and often empty. False when it says no or has no opinion."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


class _Status(msgspec.Struct):
    allowed: bool = False
    denied: bool = False
    reason: str | None = None


class _Review(msgspec.Struct):
    status: _Status | None = None


async def can_i(
    cluster: Cluster, verb: str, resource: str, group: str = "", namespace: str = "", subresource: str = ""
) -> Allowed:
    """Whether the connection's user may do this. An empty namespace means in all of them. Raises `ProbeError`."""
    attributes = {
        "verb": verb,
        "resource": resource,
        "group": group,
        "namespace": namespace,
        "subresource": subresource,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    body = await cluster.review(_RESOURCE, msgspec.json.encode(review))
    try:
        status = msgspec.json.decode(body, type=_Review).status or _Status()
    except msgspec.DecodeError as error:
        raise BadAnswer(f"the access review is not readable: {error}") from error
    return Allowed(status.allowed and not status.denied, status.reason or "")
