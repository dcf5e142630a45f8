"""Label and field selectors as a query string carries them."""

from __future__ import annotations

from typing import Any

import pytest

from drill.kinds import Kind, kind
from drill.records import Record
from drill.selectors import parse_labels, selection
from drill.statuses import ApiError

PODS, EVENTS, SECRETS = kind("pods"), kind("events"), kind("secrets")
LABELS = {"app": "web", "tier": "front", "app.kubernetes.io/name": "payment-service", "empty": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app=web", True),
        ("app==web", True),
        ("app = web", True),
        ("app=db", False),
        ("app!=db", True),
        ("app!=web", False),
        ("missing!=web", True),
        ("app.kubernetes.io/name=payment-service", True),
        ("app in (web,db)", True),
        ("app in (web, db),tier notin (back)", True),
        ("app notin (web)", False),
        ("missing notin (web)", True),
        ("app", True),
        ("missing", False),
        ("!missing", True),
        ("!app", False),
        ("empty=", True),
        ("app=web,tier=back", False),
        ("app,tier,!missing", True),
    ],
)
def test_label_selectors_match_as_the_server_matches(text: str, expected: bool) -> None:
    assert all(term.matches(LABELS) for term in parse_labels(text)) is expected


@pytest.mark.parametrize(
    "text", ["=web", "app in web", "app in ()", "app=web,", "app=a b", "in (a)(", "app>3", ",", "a=b=c"]
)
def test_nonsense_is_a_bad_request(text: str) -> None:
    with pytest.raises(ApiError, match="unable to parse requirement") as error:
        parse_labels(text)
    assert (error.value.code, error.value.reason) == (400, "BadRequest")


def record(of: Kind, **content: Any) -> Record:
    return Record(of, 1, {"metadata": {"name": "one", "namespace": "prod", "labels": LABELS}, **content})


@pytest.mark.parametrize(
    ("of", "content", "fields", "expected"),
    [
        (PODS, {}, "metadata.name=one", True),
        (PODS, {}, "metadata.name=two", False),
        (PODS, {}, "metadata.namespace!=prod", False),
        (PODS, {"spec": {"nodeName": "n1"}}, "spec.nodeName=n1", True),
        (PODS, {"spec": {}}, "spec.nodeName=", True),
        (PODS, {"status": {"phase": "Running"}}, "status.phase!=Running", False),
        (PODS, {"status": {"phase": "Failed"}}, "status.phase!=Running,status.phase!=Succeeded", True),
        (EVENTS, {"involvedObject": {"kind": "Pod", "uid": "u"}}, "involvedObject.kind=Pod,involvedObject.uid=u", True),
        (EVENTS, {"type": "Warning", "reason": "BackOff"}, "type=Warning,reason=BackOff", True),
        (EVENTS, {"type": "Normal"}, "type!=Normal", False),
        (SECRETS, {"type": "helm.sh/release.v1"}, "type=helm.sh/release.v1", True),
    ],
)
def test_field_selectors_match(of: Kind, content: dict[str, Any], fields: str, expected: bool) -> None:
    assert selection(of, "", fields).matches(record(of, **content)) is expected


def test_the_new_events_api_has_its_own_field_names() -> None:
    new = kind("events", "events.k8s.io")
    event = record(EVENTS, involvedObject={"name": "web"}, reportingComponent="kubelet")
    assert selection(new, "", "regarding.name=web,reportingController=kubelet").matches(event)


def test_an_unknown_field_is_refused_in_the_words_of_the_server() -> None:
    with pytest.raises(ApiError) as error:
        selection(PODS, "a=b", "spec.color=red")
    assert error.value.message == (
        'Unable to find "/v1, Resource=pods" that match label selector "a=b", field selector "spec.color=red": '
        "field label not supported: spec.color"
    )


def test_labels_and_fields_must_both_hold() -> None:
    pod = record(PODS, status={"phase": "Running"})
    assert selection(PODS, "app=web", "status.phase=Running").matches(pod)
    assert not selection(PODS, "app=db", "status.phase=Running").matches(pod)
    assert selection(PODS, "", "").everything
