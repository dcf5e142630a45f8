"""Helm's release Secrets decode whichever Helm wrote them, and damage is told instead of raised about."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes import helm_secret
from probes.errors import BadAnswer
from probes.helm_secret import decode_release, decode_secret, instant

HELM_3: dict[str, Any] = {
    "name": "banking-platform-prod",
    "namespace": "banking-platform-prod",
    "version": 12,
    "info": {
        "first_deployed": "2026-08-01T09:00:00.123456789Z",
        "last_deployed": "2026-11-23T15:02:31.123456789+01:00",
        "deleted": "",
        "description": "Upgrade complete",
        "status": "deployed",
        "notes": "a long text nobody needs here",
    },
    "chart": {"metadata": {"name": "banking-platform", "version": "1.5.0", "appVersion": "2026.47"}, "templates": []},
    "config": {"image": {"tag": "1.5.0"}},
    "manifest": "---\nkind: Service\n",
}


def stored(release: object, *, packed: bool = True) -> str:
    text = json.dumps(release).encode()
    return b64encode(b64encode(gzip.compress(text, mtime=0) if packed else text)).decode()


def test_a_helm_3_release_tells_chart_status_and_times() -> None:
    release = decode_release(stored(HELM_3))
    assert (release.name, release.namespace, release.version) == ("banking-platform-prod", "banking-platform-prod", 12)
    assert (release.chart_name, release.chart_version, release.app_version) == ("banking-platform", "1.5.0", "2026.47")
    assert (release.status, release.description) == ("deployed", "Upgrade complete")
    assert release.last_deployed == pytest.approx(1795442551.123456)
    assert release.first_deployed is not None
    assert release.rollback_to is None
    assert release.manifest == ""


def test_the_manifest_comes_only_when_asked_for() -> None:
    assert decode_release(stored(HELM_3), manifest=True).manifest == "---\nkind: Service\n"


def test_gzip_is_optional_as_older_drivers_left_it_out() -> None:
    assert decode_release(stored(HELM_3, packed=False)).version == 12


def test_a_rollback_is_known_from_helm_4s_field_and_from_helm_3s_words() -> None:
    helm_4 = HELM_3 | {"info": {"status": "deployed", "rollback_revision": 11, "description": "rolled back"}}
    helm_3 = HELM_3 | {"info": {"status": "deployed", "description": "Rollback to 9"}}
    neither = HELM_3 | {"info": {"status": "deployed", "description": "Rollback to ²"}}
    assert decode_release(stored(helm_4)).rollback_to == 11
    assert decode_release(stored(helm_3)).rollback_to == 9
    assert decode_release(stored(neither)).rollback_to is None


def test_missing_and_null_parts_are_empty_not_errors() -> None:
    release = decode_release(stored({"name": "r", "version": 1, "info": None, "chart": {"metadata": None}}))
    assert (release.status, release.chart_name, release.last_deployed) == ("", "", None)


def test_a_whole_secret_decodes_as_the_api_returns_it() -> None:
    body = json.dumps({"kind": "Secret", "data": {"release": stored(HELM_3)}}).encode()
    assert decode_secret(body).version == 12


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{}", "Helm did not write it"),
        (b'{"data": {"other": "eA=="}}', "Helm did not write it"),
        (b'{"data": {"release": 5}}', "not readable"),
        (b"<html>", "not readable"),
    ],
)
def test_a_secret_that_is_no_release_is_said_to_be_none(body: bytes, sentence: str) -> None:
    with pytest.raises(BadAnswer, match=sentence):
        decode_secret(body)


def twice(packed: bytes) -> bytes:
    return b64encode(b64encode(packed))


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        (b"!!!", "base64"),
        (b64encode(b"!!!"), "base64"),
        (twice(gzip.compress(b"{}" * 50, mtime=0)[:-12]), "breaks off"),
        (twice(b"\x1f\x8b\x08" + b"\xff" * 40), "gzip data is broken"),
        (twice(b"not json"), "damaged"),
        (twice(b'{"name": "x"}'), "damaged"),
        (twice(b'{"name": "x", "version": "twelve"}'), "damaged"),
        (twice(b'{"name": "x", "version": 1, "z": ' + b"[" * 100_000), "damaged"),
        (twice(b'{"name": "\xff\xfe", "version": 1}'), "damaged"),
    ],
)
def test_damage_is_named_at_its_layer(field: bytes, sentence: str) -> None:
    with pytest.raises(BadAnswer, match=sentence):
        decode_release(field)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(b" " * (helm_secret.INFLATED_LIMIT + 1))
    assert len(bomb) < 64 * 1024
    with pytest.raises(BadAnswer, match="more than 32 MiB"):
        decode_release(twice(bomb))


def test_a_megabyte_description_is_cut() -> None:
    release = decode_release(stored(HELM_3 | {"info": {"description": "x" * 1_000_000}}))
    assert len(release.description) == helm_secret.TEXT_LIMIT
    assert release.description.endswith("…")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(st.binary(max_size=200))
def test_no_content_makes_anything_but_a_probe_error(content: bytes) -> None:
    for field in (content, b64encode(content), twice(content), twice(gzip.compress(content, mtime=0))):
        with pytest.raises(BadAnswer):
            decode_release(field)


@pytest.mark.parametrize("text", [None, "", "0001-01-01T00:00:00Z", "soon", "2026-11-23T14:00:00"])
def test_a_time_that_cannot_be_placed_is_none(text: str | None) -> None:
    assert instant(text) is None
