"""Refusals as the Kubernetes API server words them: `ApiError` carries the Status body of an answer."""

from __future__ import annotations

import json
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


def not_admitted(kind: Kind, name: str, why: str) -> ApiError:
    """403 by an admission plugin."""
    return ApiError(403, "Forbidden", f'{kind.resource} "{name}" is forbidden: {why}', _about(kind, name))


def forbidden_path(user: str, verb: str, path: str) -> ApiError:
    return ApiError(403, "Forbidden", f'forbidden: User "{user}" cannot {verb} path "{path}"', {})


def not_found(kind: Kind, name: str, subresource: str = "") -> ApiError:
    plural = f"{kind.plural}/{subresource}" if subresource else kind.plural
    resource = f"{plural}.{kind.group}" if kind.group else plural
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', _about(kind, name, plural))


def no_such_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str, *, going: bool = False) -> ApiError:
    """409; ``going`` is one that is being deleted."""
    why = "object is being deleted: " if going else ""
    return ApiError(409, "AlreadyExists", f'{why}{kind.resource} "{name}" already exists', _about(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> ApiError:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    return ApiError(
        409, "Conflict", f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}', _about(kind, name)
    )


def another_uid(kind: Kind, namespace: str, name: str, given: str, has: str) -> ApiError:
    """409 for a replacement of an object that is not the one that was read."""
    key = "/".join(filter(None, ("/registry", kind.group if kind.custom else "", kind.plural, namespace, name)))
    why = (
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {given}, UID in object meta: {has}"
    )
    return conflict(kind, name, why)


def precondition(kind: Kind, name: str, shown: str, given: str, has: str) -> ApiError:
    """409 for a deletion whose precondition does not hold."""
    resource = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    why = (
        f"the {shown} in the precondition ({given}) does not match the {shown} in record ({has}). The object might "
        f"have been {'deleted and then recreated' if shown == 'UID' else 'modified'}"
    )
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, _about(kind, name, kind.kind))


def version_needed(kind: Kind, name: str) -> ApiError:
    """422 for a blind replacement of what must not be replaced blindly."""
    cause = ("FieldValueInvalid", "metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")
    return invalid(kind, name, [cause], kind_name=kind.plural)


def unreadable_patch(result: str, why: str) -> ApiError:
    """422 for a patch after which the object is none of its kind."""
    shown = "Invalid value: " + json.dumps(result, ensure_ascii=False) + f": {why}"
    details = {"causes": [{"reason": "FieldValueInvalid", "message": shown, "field": "patch"}]}
    return ApiError(422, "Invalid", f' "" is invalid: patch: {shown}', details)


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
    details: Json = {"name": name} if name else {}
    if shown_group:
        details["group"] = shown_group
    details["kind"] = shown_kind
    details["causes"] = [{"reason": reason, "message": message, "field": field} for reason, field, message in causes]
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {listed}', details)


def invalid_options(kind: str, reason: str, field: str, message: str) -> ApiError:
    """422 for the parameters of a write; ``kind`` is CreateOptions, UpdateOptions, PatchOptions or DeleteOptions."""
    return ApiError(
        422,
        "Invalid",
        f'{kind}.meta.k8s.io "" is invalid: {field}: {message}',
        {
            "group": "meta.k8s.io",
            "kind": kind,
            "causes": [{"reason": reason, "message": message, "field": field}],
        },
    )


def rejected() -> ApiError:
    """422 for a JSON patch that does not fit; which of its operations, a real server does not say either."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unreadable_version(field: str, text: str) -> ApiError:
    """500, as a real server's watch cache answers a resourceVersion that is no number."""
    return unexpected(f'{field}: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')


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


def unsupported_match(match: str) -> ApiError:
    """422 for a resourceVersionMatch that nobody knows."""
    why = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
    cause = {"reason": "FieldValueNotSupported", "message": why, "field": "resourceVersionMatch"}
    return ApiError(
        422,
        "Invalid",
        f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {why}',
        {"group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause]},
    )


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def too_old(asked: int, oldest: int) -> ApiError:
    return expired(f"too old resource version: {asked} ({oldest})")


def list_expired() -> ApiError:
    return expired("The resourceVersion for the provided list is too old.")


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
    return ApiError(406, "NotAcceptable", f"only the following media types are accepted: {accepted}")


def not_produced() -> ApiError:
    return ApiError(406, "NotAcceptable", "406: Not Acceptable", {})


_FORMATS = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")


def unknown_format(*, patch: bool = False) -> ApiError:
    """415 for the body of a POST or a PUT, or for the ``patch`` of a custom resource."""
    listed = ", ".join(_PATCHES if patch else _FORMATS)
    why = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return ApiError(415, "UnsupportedMediaType", why)


def unsupported_media_type() -> ApiError:
    """415 for the patch of a built-in resource."""
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


def unexpected(message: str) -> ApiError:
    """500 for an error that the server has no reason for."""
    return ApiError(500, "", message)


def internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def broken(code: int) -> ApiError:
    """A 5xx out of the blue."""
    reason = {500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}.get(code, "")
    return ApiError(code, reason, "an error on the server has prevented the request from succeeding", {})


def unavailable(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message, {})
