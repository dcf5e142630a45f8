"""Two stored manifests, compared: what a rollback would change, and what of it nobody should be shown."""

from __future__ import annotations

import time

import pytest

from runbook.manifests import Comparison, Ident, Unreadable, compare, documents, parse

NS = "prod"


def between(before: str, after: str) -> Comparison:
    return compare(documents(before, NS), documents(after, NS))


def config_map(name: str, value: str = "1", *, more: str = "") -> str:
    head = "---\n# Source: bank/templates/x.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n"
    return f"{head}  name: {name}\n{more}data:\n  a: {value!r}\n"


DEPLOYMENT = """---
apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    helm.sh/chart: bank-%s
  name: pay
spec:
  template:
    metadata:
      name: not-this-one
    spec:
      containers:
        - name: pay
          image: pay:%s
"""


def test_only_what_differs_is_shown_with_a_line_around_it() -> None:
    found = between(DEPLOYMENT % ("1", "1.5.0") + config_map("a"), DEPLOYMENT % ("1", "1.4.0") + config_map("a"))
    (hunk,) = found.hunks
    assert hunk.title == "Deployment/pay"
    assert hunk.lines == (
        "          - name: pay",
        "-           image: pay:1.5.0",
        "+           image: pay:1.4.0",
    )
    assert found.unchanged == (Ident("v1", "ConfigMap", NS, "a"),)
    assert found.touched == (Ident("apps/v1", "Deployment", NS, "pay"),)


def test_what_comes_and_what_goes_is_said_to() -> None:
    found = between(config_map("old") + config_map("a"), config_map("a") + config_map("new"))
    assert [hunk.title for hunk in found.hunks] == [
        "ConfigMap/new (will be created)",
        "ConfigMap/old (will be deleted)",
    ]
    assert {line[0] for line in found.hunks[0].lines} == {"+"}
    assert {line[0] for line in found.hunks[1].lines} == {"-"}
    assert (len(found.created), len(found.deleted), len(found.unchanged)) == (1, 1, 1)


def test_the_order_of_objects_and_comments_between_them_do_not_count() -> None:
    before = config_map("a") + "---\n# nothing but a comment\n" + config_map("b")
    after = config_map("b").replace("# Source: bank/templates/x.yaml", "# moved") + "\n\n" + config_map("a")
    found = between(before, after)
    assert found.hunks == ()
    assert len(found.unchanged) == 2


def test_a_comment_in_a_script_is_part_of_the_script() -> None:
    script = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: s\ndata:\n  run: |\n    # %s\n    true\n"
    assert len(between(script % "one", script % "two").hunks) == 1


def test_the_charts_own_labels_are_told_once_for_all_and_not_of_what_would_roll() -> None:
    def labelled(version: str) -> str:
        more = f"  labels:\n    helm.sh/chart: bank-{version}\n    app.kubernetes.io/version: '{version}'\n"
        return config_map("a", more=more) + config_map("b", more=more) + DEPLOYMENT % (version, "1")

    found = between(labelled("1.5.0"), labelled("1.4.0"))
    assert [hunk.title for hunk in found.hunks] == [
        "Deployment/pay",
        "only the labels with the chart's version: 2 objects",
    ]
    assert [str(ident) for ident in found.relabelled] == ["ConfigMap/a", "ConfigMap/b"]


SECRET = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n%s"


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("data:\n  p: aHVudGVyMg==\n", "data:\n  p: aHVudGVyMw==\n", 2),
        ("stringData:\n  p: hunter2\n", "stringData:\n  p: hunter22\n", 3),
        ("stringData:\n  p: hunter2\n", "data:\n  p: aHVudGVyMg==\n", 4),
        ("", "stringData:\n  p: hunter2\n", 3),
        ("stringData: {p: hunter2}\n", "stringData: {p: hunter2, q: hunter3}\n", 2),
    ],
)
def test_a_secrets_values_are_never_shown_and_that_they_differ_is(before: str, after: str, lines: int) -> None:
    (hunk,) = between(SECRET % before, SECRET % after).hunks
    assert "hunter" not in str(hunk)
    assert "aHVudGVy" not in str(hunk)
    assert len(hunk.lines) == lines


@pytest.mark.parametrize(
    "written",
    [
        "kind: 'Secret'\napiVersion: v1\nmetadata: {name: s}\nstringData: {p: %s}\n",
        '{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}, "stringData": {"p": "%s"}}\n',
        "kind: !!str Secret\napiVersion: v1\nmetadata:\n  name: s\nstringData:\n  p: %s\n",
        "? kind\n: Secret\napiVersion: v1\nmetadata:\n  name: s\nstringData:\n  p: %s\n",
        "apiVersion: v1\nkind: Secret # a\nmetadata:\n    name: s\nstringData:\n    p: %s\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}, data: {p: %s}}\n",
    ],
)
def test_a_secret_is_known_however_it_is_written(written: str) -> None:
    (hunk,) = between(written % "hunter2", written % "hunter3").hunks
    assert hunk.title == "Secret/s"
    assert "hunter" not in str(hunk)


def test_windows_lines_quoted_names_and_other_namespaces_are_read() -> None:
    text = 'apiVersion: v1\r\nkind: Service\r\nmetadata:\r\n  name: "a.b-c" # x\r\n  namespace: other\r\nspec: {}\r\n'
    assert list(documents(text, NS)) == [Ident("v1", "Service", "other", "a.b-c")]


def test_keys_and_dates_are_texts_as_kubernetes_has_them() -> None:
    found = parse("apiVersion: v1\nkind: X\non: 1\n2: b\nmetadata:\n  name: a\n  annotations:\n    at: 2026-11-23\n")
    assert found["true"] == 1
    assert found["2"] == "b"
    assert found["metadata"]["annotations"]["at"] == "2026-11-23"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kind: X\n bad: [", "not YAML"),
        ("- a\n", "no object"),
        ("kind: X\napiVersion: v1\n", "without apiVersion, kind or name"),
        ("a: !!python/object/apply:os.system ['true']\n", "not YAML"),
        (f"kind: X\napiVersion: v1\nmetadata: {{name: x}}\nx: {'[' * 100_000}\n", "nested deeper"),
        (f"kind: X\napiVersion: v1\nmetadata: {{name: x}}\nx:\n  {'- ' * 100_000}a\n", "nested deeper"),
        (BOMB, "cannot be read"),
        ("a: \x00\n", "not YAML"),
    ],
)
def test_what_cannot_be_read_is_told_and_harms_nobody(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        documents(text, NS)


def test_two_big_manifests_are_compared_in_a_blink() -> None:
    big = "".join(DEPLOYMENT.replace("pay", f"pay-{n}") % ("1", "%s") + config_map(f"c-{n}") for n in range(600))
    big += "".join(config_map(f"d-{n}", more="  annotations:\n    x: " + "y" * 100 + "\n") for n in range(200))
    assert len(big) > 205_000
    began = time.thread_time()
    found = between(big.replace("%s", "1.5.0"), big.replace("%s", "1.4.0"))
    took = time.thread_time() - began
    assert (len(found.changed), len(found.unchanged)) == (600, 800)
    assert took < 3.0, took  # each with each would take minutes
