"""Access reviews: what `kubectl auth can-i`, `can-i --list` and `whoami` ask of the server about themselves."""

from __future__ import annotations

from typing import Any, Final

from drill import ownership, statuses
from drill.access import Access, User
from drill.calls import Call
from drill.kinds import KINDS, Kind

Json = dict[str, Any]
PLURALS: Final = ("selfsubjectaccessreviews", "selfsubjectreviews", "selfsubjectrulesreviews")
_ONE: Final = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
_BOTH: Final = "cannot be specified in combination with resourceAttributes"


def answer(call: Call, user: User, access: Access, now: str) -> Json:
    """The review with its verdict. Raises Invalid for one that asks for nothing, or for two things."""
    asked, kind = call.object(), call.target.kind
    spec = asked.get("spec") or {}
    head: Json = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {}}
    match kind.plural:
        case "selfsubjectaccessreviews":
            _check(kind, spec)
            owned = ownership.fields(kind, {"spec": spec}, applied=False)
            head["metadata"] = {"managedFields": [ownership.entry(kind, call.manager, "Update", now, owned)]}
            return {**head, "spec": spec, "status": access.review(user, spec)}
        case "selfsubjectrulesreviews":
            return {**head, "spec": spec, "status": access.rules(user, KINDS, spec.get("namespace", ""))}
        case _:
            return {**head, "status": {"userInfo": {"username": user.name, "groups": [*user.groups]}}}


def _check(kind: Kind, spec: Json) -> None:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is None and path is None:
        cause = ("FieldValueInvalid", "spec.resourceAttributes", f'Invalid value: "null": {_ONE}')
    elif resource is not None and path is not None:
        shown = f'authorization.NonResourceAttributes{{Path:"{path.get("path", "")}", Verb:"{path.get("verb", "")}"}}'
        cause = ("FieldValueInvalid", "spec.nonResourceAttributes", f"Invalid value: {shown}: {_BOTH}")
    else:
        return
    error = statuses.invalid(kind, "", [cause])
    details = {key: value for key, value in (error.details or {}).items() if key != "kind"}
    raise statuses.ApiError(422, "Invalid", error.message.removeprefix(kind.kind), details)
