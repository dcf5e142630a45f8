"""Refusals as the Kubernetes API server words them: `ApiError` carries the Status body of an answer."""

from __future__ import annotations

from typing import Any

from drill.kinds import Kind

Json = dict[str, Any]


class ApiError(Exception):
    """A refusal. ``code`` is the HTTP status; ``body()`` the Status object of the answer.

    The texts and details are those of a recorded 1.36 server (k8s.io/apimachinery/pkg/api/errors).
    """

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> Json:
        answer: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            answer["reason"] = self.reason
        if self.details is not None:
            answer["details"] = self.details
        answer["code"] = self.code
        return answer


def _about(kind: Kind, name: str, kind_name: str | None = None) -> Json:
    details: Json = {}
    if name:
        details["name"] = name
    if kind.group:
        details["group"] = kind.group
    details["kind"] = kind_name or kind.plural
    return details


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(kind: Kind, user: str, verb: str, namespace: str, name: str, subresource: str = "") -> ApiError:
    """403 for ``user``: names verb, resource, group and namespace, as recorded."""
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    subject = f'{kind.resource} "{name}"' if name else kind.resource
    return ApiError(
        403,
        "Forbidden",
        f'{subject} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{kind.group}" {where}',
        _about(kind, name),
    )


def forbidden_path(user: str, verb: str, path: str) -> ApiError:
    return ApiError(403, "Forbidden", f'forbidden: User "{user}" cannot {verb} path "{path}"', {})


def not_found(kind: Kind, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{kind.resource} "{name}" not found', _about(kind, name))


def no_such_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', _about(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> ApiError:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    return ApiError(
        409, "Conflict", f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}', _about(kind, name)
    )


def apply_conflict(conflicts: list[tuple[str, str]]) -> ApiError:
    """Server-side apply met fields of others: ``conflicts`` are (manager as worded in the message, field path)."""
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": path}
        for manager, path in conflicts
    ]
    if len(conflicts) == 1:
        message = f"Apply failed with 1 conflict: conflict with {conflicts[0][0]}: {conflicts[0][1]}"
    else:
        grouped: dict[str, list[str]] = {}
        for manager, path in conflicts:
            grouped.setdefault(manager, []).append(path)
        parts = [
            f"conflicts with {manager}:\n" + "\n".join(f"- {path}" for path in sorted(paths))
            for manager, paths in sorted(grouped.items())
        ]
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(parts)
    return ApiError(409, "Conflict", message, {"causes": causes})


def invalid(
    kind: Kind, name: str, causes: list[tuple[str, str, str]], *, kind_name: str = "", group: str | None = None
) -> ApiError:
    """422. ``causes`` are (reason, field, message): ``("FieldValueInvalid", "spec.replicas", "Invalid value: …")``."""
    shown_kind = kind_name or kind.kind
    shown_group = kind.group if group is None else group
    texts = list(dict.fromkeys(f"{field}: {message}" for _, field, message in causes))
    listed = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    qualified = f"{shown_kind}.{shown_group}" if shown_group else shown_kind
    details: Json = {"name": name}
    if shown_group:
        details["group"] = shown_group
    details["kind"] = shown_kind
    details["causes"] = [{"reason": reason, "message": message, "field": field} for reason, field, message in causes]
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {listed}', details)


def invalid_options(field: str, message: str) -> ApiError:
    """422 for the parameters of a patch."""
    return ApiError(
        422,
        "Invalid",
        f'PatchOptions.meta.k8s.io "" is invalid: {field}: {message}',
        {
            "group": "meta.k8s.io",
            "kind": "PatchOptions",
            "causes": [{"reason": "FieldValueRequired", "message": message, "field": field}],
        },
    )


def rejected(why: str) -> ApiError:
    """422 for a patch that does not fit."""
    return ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {why}", {})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def forbidden_combination(why: str) -> ApiError:
    """422 for list or watch options that do not go together."""
    return ApiError(
        422,
        "Invalid",
        f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: {why}',
        {
            "group": "meta.k8s.io",
            "kind": "ListOptions",
            "causes": [
                {"reason": "FieldValueForbidden", "message": f"Forbidden: {why}", "field": "resourceVersionMatch"}
            ],
        },
    )


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def too_old(asked: int, oldest: int) -> ApiError:
    return expired(f"too old resource version: {asked} ({oldest})")


def continue_expired() -> ApiError:
    return expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter."
    )


def too_large(asked: int, current: int) -> ApiError:
    return ApiError(
        504,
        "Timeout",
        f"Too large resource version: {asked}, current: {current}",
        {
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        },
    )


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(accepted: str) -> ApiError:
    return ApiError(406, "NotAcceptable", f"only the following media types are accepted: {accepted}", {})


def unsupported_media_type() -> ApiError:
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def too_many_requests(message: str, retry_after: int) -> ApiError:
    return ApiError(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after})


def disruption(budget: Json, why: str = "", retry_after: int | None = None) -> ApiError:
    """429 for an eviction that a PodDisruptionBudget does not allow now; ``why`` other than its numbers."""
    status = budget.get("status") or {}
    needs = f"needs {status.get('desiredHealthy', 0)} healthy pods and has {status.get('currentHealthy', 0)} currently"
    cause = {
        "reason": "DisruptionBudget",
        "message": f"The disruption budget {budget['metadata']['name']} {why or needs}",
    }
    details: Json = {"causes": [cause]} | ({"retryAfterSeconds": retry_after} if retry_after else {})
    text = "Cannot evict pod as it would violate the pod's disruption budget."
    return ApiError(429, "TooManyRequests", text, details)


def internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def broken(code: int) -> ApiError:
    """A 5xx out of the blue."""
    reason = {500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}.get(code, "")
    return ApiError(code, reason, "an error on the server has prevented the request from succeeding", {})


def unavailable(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message, {})
