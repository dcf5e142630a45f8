"""Helm's release Secrets: what the platform writes is what the real Helm writes."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from drill import helm

NOW = 1_795_000_000.0


def a_release(revision: int = 3, status: str = helm.DEPLOYED) -> dict[str, Any]:
    chart = helm.chart_of("banking", "1.5.0", "2026.11", values={"replicas": 3}, templates={"a.yaml": "kind: A\n"})
    return helm.release(
        name="bank",
        namespace="prod",
        revision=revision,
        chart=chart,
        config={},
        manifest="---\nkind: ConfigMap\n",
        status=status,
        description="Upgrade complete",
        first_deployed=NOW - 86_400,
        last_deployed=NOW,
    )


def test_a_payload_is_base64_of_base64_of_gzip_of_json() -> None:
    secret = helm.secret(a_release(), NOW)

    outer = base64.b64decode(secret["data"]["release"], validate=True)
    packed = base64.b64decode(outer, validate=True)
    assert packed.startswith(b"\x1f\x8b\x08")
    release = json.loads(gzip.decompress(packed))

    assert (release["name"], release["version"], release["info"]["status"]) == ("bank", 3, "deployed")
    assert release["manifest"] == "---\nkind: ConfigMap\n"
    assert release["chart"]["metadata"]["appVersion"] == "2026.11"
    assert base64.b64decode(release["chart"]["templates"][0]["data"]) == b"kind: A\n"


def test_the_secret_carries_the_labels_that_helm_selects_by() -> None:
    secret = helm.secret(a_release(), NOW)

    assert secret["type"] == "helm.sh/release.v1"
    assert secret["metadata"]["name"] == "sh.helm.release.v1.bank.v3"
    assert secret["metadata"]["labels"] == {
        "owner": "helm",
        "name": "bank",
        "status": "deployed",
        "version": "3",
        "modifiedAt": str(int(NOW)),
    }


def test_what_was_encoded_decodes_to_the_same() -> None:
    release = a_release()
    assert helm.decode(helm.encode(release)) == release


def test_superseding_changes_the_payload_and_the_label_alike_and_keeps_foreign_labels() -> None:
    held = helm.secret(a_release(), NOW)
    held["metadata"]["labels"]["team"] = "payments"

    superseded = helm.with_status(held, helm.SUPERSEDED, NOW + 60)

    assert helm.decode(superseded["data"]["release"])["info"]["status"] == "superseded"
    assert superseded["metadata"]["labels"]["status"] == "superseded"
    assert superseded["metadata"]["labels"]["modifiedAt"] == str(int(NOW + 60))
    assert superseded["metadata"]["labels"]["team"] == "payments"
    assert helm.decode(held["data"]["release"])["info"]["status"] == "deployed"


def test_instants_are_rfc_3339_and_read_back() -> None:
    info = a_release()["info"]
    assert info["last_deployed"].endswith("Z")
    assert helm.parse_instant(info["last_deployed"]) == NOW


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(b"no").decode()])
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        helm.decode(text)


def test_json_that_is_no_release_is_refused_by_name() -> None:
    packed = base64.b64encode(gzip.compress(b"[1]"))
    with pytest.raises(ValueError, match="not a Helm release"):
        helm.decode(base64.b64encode(packed).decode())
