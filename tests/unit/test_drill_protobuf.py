"""The protobuf bodies of kubectl's typed clients."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill import protobuf
from drill.statuses import ApiError


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return bytes([number << 3]) + varint(content)
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    meta = field(1, api_version.encode()) + field(2, kind.encode())
    return b"k8s\x00" + field(1, meta) + field(2, raw) + field(3, b"") + field(4, b"")


def test_an_access_review_is_read() -> None:
    attributes = field(1, b"prod") + field(2, b"patch") + field(3, b"apps") + field(4, b"") + field(5, b"deployments")
    review = field(1, b"") + field(2, field(1, attributes)) + field(3, field(1, 0))
    body = envelope("authorization.k8s.io/v1", "SelfSubjectAccessReview", review)
    wanted = {"namespace": "prod", "verb": "patch", "group": "apps", "resource": "deployments"}
    assert protobuf.decode(body) == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": wanted},
    }


def test_an_eviction_with_options_is_read() -> None:
    options = field(1, 300) + field(2, field(1, b"some-uid")) + field(5, b"All")
    raw = field(1, field(1, b"web") + field(3, b"prod")) + field(2, options)
    decoded = protobuf.decode(envelope("policy/v1", "Eviction", raw))
    assert decoded["metadata"] == {"name": "web", "namespace": "prod"}
    assert decoded["deleteOptions"] == {
        "gracePeriodSeconds": 300,
        "preconditions": {"uid": "some-uid"},
        "dryRun": ["All"],
    }


def test_maps_are_read() -> None:
    raw = field(1, field(1, b"c")) + field(2, field(1, b"a") + field(2, b"b")) + field(2, field(1, b"x"))
    assert protobuf.decode(envelope("v1", "ConfigMap", raw))["data"] == {"a": "b", "x": ""}
    secret = field(2, field(1, b"k") + field(2, b"\x00\xff"))
    assert protobuf.decode(envelope("v1", "Secret", secret))["data"] == {"k": "AP8="}


def test_what_is_not_known_is_an_unsupported_media_type() -> None:
    for body in (b"", b"{}", envelope("apps/v1", "Deployment", b"")):
        with pytest.raises(ApiError) as error:
            protobuf.decode(body)
        assert error.value.code == 415


@given(st.binary(max_size=200))
def test_nonsense_is_refused_and_nothing_else(noise: bytes) -> None:
    with pytest.raises(ApiError):
        protobuf.decode(b"k8s\x00" + noise + b"\x07")
