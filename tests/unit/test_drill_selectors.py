"""Label and field selectors as a query string carries them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from drill.kinds import Kind, kind
from drill.label_requirements import parse_labels
from drill.records import Record
from drill.selectors import selection
from drill.statuses import ApiError

PODS, EVENTS, SECRETS = kind("pods"), kind("events"), kind("secrets")
LABELS = {"app": "web", "tier": "front", "app.kubernetes.io/name": "payment-service", "empty": "", "number": "4"}


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
        ("app in ()", False),
        ("number>3,number<5,!none", True),
        ("number>4", False),
        ("app>3", False),
        ("app=web,tier=back", False),
        ("app,tier,!missing", True),
    ],
)
def test_label_selectors_match_as_the_server_matches(text: str, expected: bool) -> None:
    assert all(term.matches(LABELS) for term in parse_labels(text)) is expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("app=web,", "found '', expected: identifier after ','"),
        ("app=a b", "found 'b', expected: ',' or 'end of string'"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("in (a)(", "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt"),
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a/b/c", 'unable to parse requirement: key: Invalid value: "a/b/c": a qualified name must consist of '),
        ("app=-a", 'unable to parse requirement: values[0][app]: Invalid value: "-a": a valid label must be '),
        ("app>web", "unable to parse requirement: values[0]: Invalid value: \"web\": for 'Gt', 'Lt' operators, "),
    ],
)
def test_nonsense_is_a_bad_request(text: str, why: str) -> None:
    with pytest.raises(ApiError, match="^" + re.escape(why)) as error:
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
    assert error.value.message == "field label not supported: spec.color"
    with pytest.raises(ApiError) as error:
        selection(kind("configmaps"), "", "data.a=b")
    assert error.value.message == ('"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"')


def test_labels_and_fields_must_both_hold() -> None:
    pod = record(PODS, status={"phase": "Running"})
    assert selection(PODS, "app=web", "status.phase=Running").matches(pod)
    assert not selection(PODS, "app=db", "status.phase=Running").matches(pod)
    assert selection(PODS, "", "").everything
