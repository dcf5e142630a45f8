"""What reading JSON into the API's Go types does to an object: empty values go, and other types are refused."""

from __future__ import annotations

from typing import Any, Final

from drill import statuses
from drill.kinds import Kind
from drill.quantities import parse

Json = dict[str, Any]
_PRUNED: Final = ("metadata", "spec", "data", "binaryData", "stringData")
# Maps that are not written when they are empty; other empty objects mean something (emptyDir, podSelector).
_OMITTED: Final = frozenset(
    {
        "labels",
        "annotations",
        "matchLabels",
        "nodeSelector",
        "limits",
        "requests",
        "data",
        "binaryData",
        "stringData",
    }
)
_TEXTS: Final = frozenset({"labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData", "binaryData"})
_NUMBERS: Final[dict[str, str]] = {
    "replicas": "int32",
    "minReadySeconds": "int32",
    "revisionHistoryLimit": "int32",
    "progressDeadlineSeconds": "int32",
    "containerPort": "int32",
    "terminationGracePeriodSeconds": "int64",
    "activeDeadlineSeconds": "int64",
}
_OBJECTS: Final = frozenset({"metadata", "spec", "template", "selector", "strategy", "securityContext", "podSelector"})
_LISTS: Final = frozenset({"containers", "initContainers", "volumes", "env", "ports", "finalizers", "ownerReferences"})
_WORDS: Final = frozenset({"image", "restartPolicy", "dnsPolicy", "nodeName", "schedulerName"})
_NO_QUANTITY: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
# Values that are not written when they are these: Go's omitempty of what is no pointer.
_ZEROS: Final[dict[str, object]] = {
    "value": "",
    "nodeName": "",
    "hostname": "",
    "subdomain": "",
    "subPath": "",
    "priorityClassName": "",
    "serviceAccountName": "",
    "serviceAccount": "",
    "minReadySeconds": 0,
    "hostNetwork": False,
    "hostPID": False,
    "hostIPC": False,
    "paused": False,
    "readOnly": False,
    "stdin": False,
    "stdinOnce": False,
    "tty": False,
}
_GO: Final = ((bool, "bool"), (str, "string"), (dict, "object"), (list, "array"), ((int, float), "number"))


class WrongType(Exception):
    """A value that does not fit its field; the text is what Go's decoder says."""


def decoded(kind: Kind, obj: Json) -> Json:
    """The object without what its types do not keep; a custom kind has only its metadata typed. Raises `WrongType`."""
    made = {**obj}
    for key in ("metadata",) if kind.custom else _PRUNED:
        if key not in made or (key == "data" and kind.kind not in ("ConfigMap", "Secret")):
            continue
        value = _value(kind.kind, key, made[key], key)
        if value is None or (value == {} and key in _OMITTED):
            del made[key]
        else:
            made[key] = value
    made.setdefault("metadata", {})
    return made


def of_body(kind: Kind, obj: Json) -> Json:
    """`decoded`, for what was sent whole. Raises BadRequest."""
    try:
        return decoded(kind, obj)
    except WrongType as error:
        raise statuses.bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {error}'
        ) from None


def _value(struct: str, name: str, value: Any, path: str) -> Any:
    if value is None:
        return None
    _check(struct, name, value, path)
    if isinstance(value, dict):
        kept: Json = {}
        for key, inner in value.items():
            if name in _TEXTS:
                if inner is not None and not isinstance(inner, str):
                    raise _wrong(struct, inner, path, "string")
                kept[key] = inner or ""
                continue
            if name in ("limits", "requests"):
                kept[key] = _quantity(inner)
                continue
            pruned = _value(struct, key, inner, f"{path}.{key}")
            if pruned is None or pruned == [] or (pruned == {} and key in _OMITTED):
                continue
            if key in _ZEROS and pruned == _ZEROS[key]:
                continue
            kept[key] = pruned
        return kept
    if isinstance(value, list):
        return [_value(struct, "", item, path) if isinstance(item, dict) else item for item in value]
    return value


def _quantity(value: Any) -> str:
    """A quantity as text. Raises `WrongType` for what is none."""
    try:
        parse(value)
    except (ValueError, TypeError, AttributeError):
        raise WrongType(_NO_QUANTITY) from None
    return value if isinstance(value, str) else str(value)


def _check(struct: str, name: str, value: Any, path: str) -> None:
    if name in _TEXTS and not isinstance(value, dict):
        raise _wrong(struct, value, path, "map[string]string")
    if name in _NUMBERS and (not isinstance(value, int) or isinstance(value, bool)):
        raise _wrong(struct, value, path, _NUMBERS[name])
    if name in _OBJECTS and not isinstance(value, dict):
        raise _wrong(struct, value, path, f"v1.{name.capitalize()}")
    if name in _LISTS and not isinstance(value, list):
        raise _wrong(struct, value, path, f"[]v1.{name.capitalize()}")
    if name in _WORDS and not isinstance(value, str | dict | list):
        raise _wrong(struct, value, path, "string")


def _wrong(struct: str, value: Any, path: str, wanted: str) -> WrongType:
    told = next((name for types, name in _GO if isinstance(value, types)), "null")
    return WrongType(f"json: cannot unmarshal {told} into Go struct field {struct}.{path} of type {wanted}")
