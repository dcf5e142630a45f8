"""As much OpenAPI v3 as kubectl needs to trust the server with validation: paths and parameters, no schemas."""

from __future__ import annotations

from typing import Any, Final

from drill.kinds import Kind

Json = dict[str, Any]

_PARAMETERS: Final = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]


def _root(kind: Kind) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def index(kinds: tuple[Kind, ...]) -> Json:
    """``/openapi/v3``: one document per group and version."""
    return {"paths": {_root(kind): {"serverRelativeURL": f"/openapi/v3/{_root(kind)}"} for kind in kinds}}


def document(kinds: tuple[Kind, ...], root: str, version: str) -> Json | None:
    """``/openapi/v3/apis/apps/v1`` for ``root`` ``apis/apps/v1``; None if nothing is there."""
    paths: Json = {}
    for kind in kinds:
        if _root(kind) != root or "patch" not in kind.verbs:
            continue
        place = "namespaces/{namespace}/" if kind.namespaced else ""
        operation = {
            "operationId": f"patch{kind.kind}",
            "parameters": _PARAMETERS,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        }
        paths[f"/{root}/{place}{kind.plural}/{{name}}"] = {
            "patch": {**operation, "x-kubernetes-action": "patch"},
            "post": {**operation, "operationId": f"create{kind.kind}", "x-kubernetes-action": "post"},
        }
    if not paths:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": paths,
        "components": {"schemas": {}},
    }
