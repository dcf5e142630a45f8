"""A scenario of one's own: the template, the checker that tells everything at once, and files that are none."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from drill import scenario
from drill.scenario_file import TEMPLATE, load
from tui.cli import main

WRONG = r"""name: My Scenario
title: x
severity: 7
sumary: y
cluster: c
namespace: prod
release: {name: r, chart: c}
nodes: [{name: n, cpu: hot}, {name: m, memory: .nan}]
services:
  - {name: api, replicas: -1, image: a/b, requests: {cpu: lots, memory: 2}}
  - name: web
script:
  - {do: upgrad, at: -1h}
  - {at: -1h}
  - {do: event, at: -1, kind: Pod, name: api, reason: r, message: m, component: c, every: 3}
varis: []
commits: none
commits:
  - {at: "-1h\n", author: "A\nB", subject: x, file: ../../.bashrc}
  - {at: -1h, author: Ada, subject: "x\ny", file: .git/hooks/post-checkout}
"""
NAMES = """name: mine
title: x
severity: 2
summary: y
cluster: c
namespace: prod
release: {name: r, chart: c}
nodes: [{name: n}, {name: n}]
services:
  - {name: api, replicas: 1500, image: a/b, database: Accounts}
  - {name: web, replicas: 600, image: a/c}
script:
  - {do: upgrade, at: -9000d, chart: 1.0.0, tags: {api: 1.0.0, wbe: 1.0.0}}
  - {do: rollback, at: -1h, to: 7}
  - {do: event, at: -1d, kind: Pod, name: api, reason: r, message: m, component: c, every: 0.1s}
  - {do: event, at: -900d, kind: Pod, name: api, reason: r, message: m, component: c, every: 1m, while_down: ap}
  - {do: node-fate, at: +1m, node: k, fate: not-ready}
  - {do: event, at: -1m, kind: Service, name: apj, reason: r, message: m, component: c}
"""


def check(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The status, and what is said without the file's name."""
    status = main(["drill", "--check", str(path)])
    out = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in out)
    return status, [line.removeprefix(f"{path}:") for line in out.splitlines()]


def written(directory: Path, text: str | bytes) -> Path:
    path = directory / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_template_is_right_says_what_it_is_and_is_a_scenario_to_play(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    assert main(["drill", "--template"]) == 0
    text = capsys.readouterr().out
    assert main(["drill", "--template", "-o", str(path)]) == 0
    assert (path.read_text(), path.stat().st_mode & 0o777) == (text, 0o600)
    assert main(["drill", "--template", "-o", str(path)]) == 2
    assert "is there already, and is left as it is" in capsys.readouterr().err

    assert load(str(path)) == load(str(path), 0) != load(str(path), 3) == load(str(path), 3)
    status, said = check(path, capsys)
    assert status == 0
    assert said == [
        " right.",
        "  my-scenario: SEV 2, Orders failing at checkout",
        "  Release 2.1.0 of order-service crash-loops. A node under memory pressure is a distraction.",
        "  platform: aks-prod-shop/shop-prod, 2 nodes, 3 services with 6 pods, 0 addons",
        "  script: 5 steps, 0 of them while somebody works; 3 commits",
        "  at the start: order-service has 0 of 2 pods ready; node-00001 is MemoryPressure",
        "  good: severity 2, 5 steps, well again within 20 min, 1 harmful act",
        "  varies: 5 rows, and every variant that was tried is right",
    ]


def test_every_mistake_is_told_at_once_by_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "expected a name of at most 63 lower-case letters, digits and dashes"
    steps = "upgrade, rollback, .*"
    expected = [
        f"1: name: {name}, found 'My Scenario'",
        "3: severity: expected a whole number from 1 to 4, found 7",
        "4: sumary: there is no such key; did you mean summary?",
        "8: nodes[0].cpu: expected a number from 0 to 1, found 'hot'",
        "8: nodes[1].memory: expected a number, found .nan",
        "10: services[0].replicas: expected a whole number of at least 0, found -1",
        "10: services[0].requests.cpu: expected a quantity such as 250m or 512Mi, found 'lots'",
        "10: services[0].requests.memory: expected a quantity such as 250m or 512Mi, found 2; put it in quotes",
        "11: services[1].image: missing, expected text",
        "11: services[1].replicas: missing, expected a whole number of at least 0",
        f"13: script[0].do: expected one of {steps}, found 'upgrad'; did you mean upgrade?",
        f"14: script[1].do: missing, expected one of {steps}",
        "15: script[2].at: expected an offset such as -20m, -3d4h or +90s, found -1",
        "15: script[2].every: expected a length of time such as 90s or 6m, found 3",
        "16: varis: there is no such key; did you mean varies?",
        "18: commits: this key is there already, on line 17",
        "19: commits[0].at: expected an offset such as -20m, -3d4h or +90s, found '-1h\\n'",
        "19: commits[0].author: expected a person's name, found 'A\\nB'",
        "19: commits[0].file: expected a path inside of the repository, .*, found '../../.bashrc'",
        "20: commits[1].file: expected a path inside of the repository, such as services/orders/Prices.cs, .*",
        "20: commits[1].subject: expected text on one line, found 'x\\ny'",
    ]
    status, said = check(written(tmp_path, WRONG), capsys)
    assert status == 1
    assert len(said) == len(expected)
    for line, sentence in zip(said, expected, strict=True):
        assert re.fullmatch(re.escape(sentence).replace(r"\.\*", ".*"), line), line

    status, said = check(written(tmp_path, NAMES), capsys)
    assert (status, said) == (
        1,
        [
            "8: nodes[1].name: 'n' is there already",
            "10: services[0].database: there is no database 'Accounts'",
            "11: services[1].replicas: more than 2000 pods up to here; --pods adds as many",
            "13: script[0].at: -9000d is more than five years away from the start",
            "13: script[0].tags.wbe: there is no service 'wbe'; did you mean web?",
            "13: script[0].tags: the first upgrade must give every service a tag; missing: web",
            "14: script[1].to: there is no revision 7 by then",
            "15: script[2].every: expected a second or more, found 0.1s",
            "16: script[3].every: it would have happened more than 100000 times by the start",
            "16: script[3].while_down: there is no service 'ap'; did you mean api?",
            "17: script[4].node: there is no node 'k'",
            "18: script[5].name: there is no service 'apj'; did you mean api?",
        ],
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "act: [rollback,",
            "act: [rolback,",
            "good.path[2].act[0]: the runbook has no mitigation 'rolback'; did you mean",
        ),
        (
            "checklist: resolution",
            "checklist: rota",
            "good.path[3].checklist: the runbook has no checklist 'rota'; there are: ",
        ),
        (
            "fate: memory-pressure}",
            "fate: memory-pressure}\n  - {do: rollback, at: -11m59s, to: 3}",
            "there is no revision 3 by then (with --seed 2)",
        ),
        (
            "by: [-5m, +4m]",
            "by: [-40d, +4m]",
            "the first upgrade must give every service a tag; missing: shop-gateway, stock-service (with --seed",
        ),
    ],
)
def test_what_only_the_runbook_or_a_variant_shows_is_told_too(
    before: str, after: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert before in TEMPLATE.read_text()
    status, lines = check(written(tmp_path, TEMPLATE.read_text().replace(before, after)), capsys)
    assert status == 1
    assert said in lines[0]


def test_what_the_runbook_lacks_is_told_beside_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = TEMPLATE.read_text().replace("fate: memory-pressure}", "fate: pressure}").replace("[rollback,", "[rolback,")
    status, (fate, act) = check(written(tmp_path, wrong), capsys)
    assert (status, "fate: expected one of" in fate, "no mitigation 'rolback'" in act) == (1, True, True)


def test_a_file_that_is_wrong_is_not_played_and_says_where_the_rest_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, WRONG)
    assert main(["drill", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"warroom: {path}:1: name: expected a name of at most 63 lower-case letters, digits and dashes, "
        f"found 'My Scenario'; warroom drill --check {path} tells all of them\n"
    )


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 15)
)
NONE = [
    (b"\xff\xfe\x00a", "not UTF-8 text (byte 0)"),
    (os.urandom(600_000), "larger than 512 KiB: this is no scenario"),
    (b"a: \0", "not YAML: the character U+0000 has no place in it"),
    ("a: " + "[" * 40_000 + "]" * 40_000, "nested deeper than 20: this is no scenario"),
    (BOMB, "more than 50000 values, aliases counted: this is no scenario"),
    ("a: &a [*a]", "more than 50000 values, aliases counted: this is no scenario"),
    ("", "a scenario is keys with values, and here is nothing"),
    ("- name", "a scenario is keys with values, and here is a list"),
    ("name: [x", "not YAML: did not find expected ',' or ']'"),
]


@pytest.mark.parametrize(("text", "said"), NONE, ids=[said[:24] for _, said in NONE])
def test_what_is_no_scenario_is_told_in_one_sentence_and_never_played(
    text: str | bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, text)
    status, lines = check(path, capsys)
    assert (status, len(lines)) == (1, 1)
    assert lines[0].endswith(said)
    assert main(["drill", str(path)]) == 2
    assert capsys.readouterr().err.strip().endswith(said)


def test_what_is_no_file_is_told_in_one_sentence_and_its_name_cannot_act_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    shutil.copy(TEMPLATE, tmp_path / "\x1b[31mred\n.yaml")
    said = {
        "pipe.yaml": "this is no file, and no scenario",
        "folder.yaml": "this is a directory, and no scenario",
        "missing.yaml": "cannot be read: No such file or directory",
        "a\0b.yaml": "there is no file of that name",
    }
    for name, sentence in said.items():
        assert main(["drill", "--check", str(tmp_path / name)]) == 1
        assert capsys.readouterr().out.endswith(f"{sentence}\n")
        assert main(["drill", str(tmp_path / name)]) == 2
    assert main(["drill", "--check", str(tmp_path / "\x1b[31mred\n.yaml")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{tmp_path}/�[31mred�.yaml: right."


def test_the_list_has_a_line_for_each_with_title_and_severity_that_fits_and_gives_nothing_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["drill", "--list"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["SCENARIO", "SEVERITY", "TITLE"]
    assert all(len(row) <= 80 for row in rows)
    assert [row.split(maxsplit=3) for row in rows] == [
        [one.name, "SEV", str(one.severity), one.title] for one in map(scenario.load, scenario.names())
    ]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ["payment-release", "--surprise"],
            "a surprise is no surprise with a name: leave out --surprise, or payment-release",
        ),
        (["-o", "x"], "-o goes with --template"),
        (["--join", ".", "--seed", "3"], "--surprise and --seed go with --serve"),
    ],
)
def test_flags_that_do_not_go_together_are_told(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drill", *flags]) == 2
    assert said in capsys.readouterr().err
