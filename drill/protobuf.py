"""Reads the few protobuf bodies that kubectl's typed clients send: access reviews, evictions, small objects.

The field numbers are those of k8s.io/api/*/generated.proto. Answers are always JSON, which those clients accept.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

from drill import statuses

Json = dict[str, Any]

MEDIA: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"

# Message → field number → (name in JSON, type). A type is a scalar (string, int, bool), a message, "[string]" for a
# repeated one, "{string}" and "{bytes}" for maps of them.
_MESSAGES: Final[dict[str, dict[int, tuple[str, str]]]] = {
    "Unknown": {1: ("type", "TypeMeta"), 2: ("raw", "raw")},
    "TypeMeta": {1: ("apiVersion", "string"), 2: ("kind", "string")},
    "ObjectMeta": {
        1: ("name", "string"),
        2: ("generateName", "string"),
        3: ("namespace", "string"),
        5: ("uid", "string"),
        6: ("resourceVersion", "string"),
        11: ("labels", "{string}"),
        12: ("annotations", "{string}"),
        14: ("finalizers", "[string]"),
    },
    "SelfSubjectReview": {1: ("metadata", "ObjectMeta")},
    "SelfSubjectAccessReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "AccessSpec")},
    "AccessSpec": {1: ("resourceAttributes", "ResourceAttributes"), 2: ("nonResourceAttributes", "PathAttributes")},
    "ResourceAttributes": {
        1: ("namespace", "string"),
        2: ("verb", "string"),
        3: ("group", "string"),
        4: ("version", "string"),
        5: ("resource", "string"),
        6: ("subresource", "string"),
        7: ("name", "string"),
    },
    "PathAttributes": {1: ("path", "string"), 2: ("verb", "string")},
    "SelfSubjectRulesReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "RulesSpec")},
    "RulesSpec": {1: ("namespace", "string")},
    "Eviction": {1: ("metadata", "ObjectMeta"), 2: ("deleteOptions", "DeleteOptions")},
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "int"),
        2: ("preconditions", "Preconditions"),
        3: ("orphanDependents", "bool"),
        4: ("propagationPolicy", "string"),
        5: ("dryRun", "[string]"),
    },
    "Preconditions": {1: ("uid", "string"), 2: ("resourceVersion", "string")},
    "Namespace": {1: ("metadata", "ObjectMeta")},
    "ServiceAccount": {1: ("metadata", "ObjectMeta")},
    "ConfigMap": {1: ("metadata", "ObjectMeta"), 2: ("data", "{string}"), 3: ("binaryData", "{bytes}")},
    "Secret": {1: ("metadata", "ObjectMeta"), 2: ("data", "{bytes}"), 3: ("type", "string")},
}


def decode(body: bytes) -> Json:
    """The object in a protobuf body, as JSON would say it.

    Raises UnsupportedMediaType for a kind that is not known here, BadRequest for a broken body.
    """
    if not body.startswith(_MAGIC):
        raise statuses.unsupported_media_type()
    try:
        envelope = _message("Unknown", body[len(_MAGIC) :])
        kind = envelope.get("type", {}).get("kind", "")
        if kind not in _MESSAGES:
            raise statuses.unsupported_media_type()
        return {**envelope["type"], **_message(kind, envelope.get("raw", b""))}
    except (IndexError, UnicodeDecodeError, KeyError) as error:
        raise statuses.bad_request(f"the body is not protobuf: {error}") from None


def _message(name: str, data: bytes) -> Json:
    decoded: Json = {}
    for number, value in _wire(data):
        if number not in _MESSAGES[name]:
            continue
        field, kind = _MESSAGES[name][number]
        match kind:
            case "raw":
                decoded[field] = value
            case "int":
                decoded[field] = value
            case "bool":
                decoded[field] = bool(value)
            case "string":
                if value:  # the generated code writes empty strings, too
                    decoded[field] = _text(value)
            case "[string]":
                decoded.setdefault(field, []).append(_text(value))
            case "{string}" | "{bytes}":
                pair = dict(_wire(_bytes(value)))
                entry = _bytes(pair.get(2, b""))
                shown = entry.decode() if kind == "{string}" else base64.b64encode(entry).decode()
                decoded.setdefault(field, {})[_text(pair.get(1, b""))] = shown
            case _:
                decoded[field] = _message(kind, _bytes(value))
    return decoded


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise IndexError("a number where bytes should be")
    return value


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()


def _wire(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, number or bytes) of a message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                number, at = _varint(data, at)
                yield tag >> 3, number
            case 2:
                length, at = _varint(data, at)
                if at + length > len(data):
                    raise IndexError("it ends early")
                yield tag >> 3, data[at : at + length]
                at += length
            case 1 | 5 as fixed:
                at += 8 if fixed == 1 else 4
            case other:
                raise IndexError(f"wire type {other}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError("a number is too long")
