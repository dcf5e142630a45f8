"""Mistakes in the runbook file's response part: each is one sentence with file, line, key and what was expected."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.response import Response
from runbook.response_file import ResponseError, load
from tests.breadth import examples
from tests.unit.small_runbook import SMALL, line_of, refusal, written

UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

# ---------------------------------------------------------------------- mistakes

WRONG = [
    ("name: A shop\n", "", "1: name: missing, expected text"),
    ("name: A shop", "name: [A, shop]", "name: expected text, found a list"),
    ("name: A shop", "nmae: A shop\nname: x", "nmae: there is no such key; did you mean name?"),
    ("  1: {name: Bad", "  one: {name: Bad", "severities.one: expected the number of a severity"),
    ("  2: {name", "  01: {name", "severities: a severity is there twice"),
    ("{name: Bad, ", "{", "severities.1.name: missing, expected text"),
    ("name: A shop", "nane: A shop", "nane: there is no such key; did you mean name?"),
    ("{name: Bad, ", "{nam: Bad, ", "severities.1.nam: there is no such key; did you mean name?"),
    ("severities:\n", "severitys:\n", "severitys: there is no such key; did you mean severities?"),
    ("definition: Nobody can buy", "definition: 5", "severities.1.definition: expected text, found 5"),
    (
        "15 min",
        "soon",
        "severities.1.update_every: expected a duration like \"15 min\", from 1 min to 30 d, found 'soon'",
    ),
    (
        "15 min",
        "5 s",
        "severities.1.update_every: expected a duration like \"15 min\", from 1 min to 30 d, found '5 s'",
    ),
    ("15 min", "1:30", "severities.1.update_every: expected a duration"),
    ("15 min", "-3", "severities.1.update_every: expected a duration"),
    ("15 min", ".inf", "severities.1.update_every: expected a duration"),
    ("15 min", "{}", "severities.1.update_every: expected a duration"),
    ("resolve_within", "resolved_within", "severities.1.resolved_within: there is no such key; did you mean"),
    (
        "{service_down: yes}",
        "{service_don: yes}",
        "matrix[0].when.service_don: there is no fact that the matrix can ask "
        "for service_don; did you mean service_down?",
    ),
    (
        "{service_down: yes}",
        "{service_down: maybe}",
        "matrix[0].when.service_down: expected true or false, found 'maybe'",
    ),
    ("{service_down: yes}", "{}", "matrix[0].when: expected answers, e.g. service_down: yes"),
    (
        "{service_down: yes}, severity: 1",
        "{service_down: yes}, severity: 3",
        "matrix[0].severity: there is no severity 3; there are: 1, 2",
    ),
    (
        "{service_down: yes}, severity: 1",
        "{service_down: yes}, severity: 1.5",
        "matrix[0].severity: expected a whole number",
    ),
    ("  - {words: Down", "  - [words, Down]\n  - {words: Down", "matrix[0]: expected keys with values, found a list"),
    ("matrix:\n", "matrix: 5\nx:\n", "matrix: expected a list, each of its items keys with values, found 5"),
    (
        "short: IC",
        "short: COMMANDER",
        "roles.ic.short: expected at most 5 characters, for the banner, found 'COMMANDER'",
    ),
    ("  ic: {", "  IC: {", "roles.IC: expected a name of lower-case letters, digits and dashes"),
    ("short: IC}", "short: IC, core: maybe}", "roles.ic.core: expected true or false, found 'maybe'"),
    ("2: judge", "2: perhaps", "parties.boss.notified.2: expected one of yes, no, judge, found 'perhaps'"),
    ("2: judge", "3: yes", "parties.boss.notified.3: there is no severity 3; there are: 1, 2"),
    ("2: judge", "two: yes", "parties.boss.notified.two: expected the number of a severity"),
    (
        "kind: slack",
        "kind: slak",
        "channels.chat.kind: expected one of slack, teams, pagerduty, email, webhook, apprise, "
        "statuspage, servicenow, jira, found 'slak'; did you mean slack?",
    ),
    ("severities: [1], parties", "severities: [1, 4], parties", "channels.chat.severities: there is no severity 4"),
    (
        "severities: [1], parties",
        "severities: 1, parties",
        "channels.chat.severities: expected a list of whole numbers",
    ),
    (
        "severities: [1], parties",
        "severities: [one], parties",
        "channels.chat.severities: expected a list of whole numbers",
    ),
    ("env: {url: SHOP_SLACK_URL}, ", "", "channels.chat: env.url does not name an environment variable"),
    (
        "env: {url: SHOP_SLACK_URL}",
        "env: {uri: X}",
        "channels.chat: slack has no use for",
    ),
    (
        "severities: [1], parties",
        "options: {host: x}, parties",
        "channels.chat: slack has no option 'host' (it knows: ca)",
    ),
    ("parties: [boss]", "parties: [bos]", "channels.chat.parties: there is no party bos; did you mean boss?"),
    (
        "look: pods}",
        "look: pod}",
        "phases.first.sections.At once.look.look: expected one of pods, nodes, services, changes, "
        "events, databases, logs, version, connectivity, sql, found 'pod'; did you mean pods?",
    ),
    ("what: logs", "what: log", "scenarios.basket.sections.Do.logs.look.what: expected one of pods"),
    (
        "what: logs, of",
        "what: logs, off",
        "scenarios.basket.sections.Do.logs.look.off: there is no such key; did you mean of?",
    ),
    (
        "mitigation: restart",
        "mitigation: restrat",
        "phases.first.sections.At once.restart.mitigation: there is no mitigation restrat; did you mean restart?",
    ),
    ("code: kubectl get pods", "language: sql", "phases.first.sections.At once.look.language: there is no code"),
    (
        "code: kubectl get pods",
        "code: x, language: perl",
        "phases.first.sections.At once.look.language: expected one of bash, sql, yaml, found 'perl'",
    ),
    (
        "code: kubectl get pods",
        'code: "a\\u001b[2J"',
        "phases.first.sections.At once.look.code: expected text without control characters",
    ),
    (
        "        restart: {text: Restart",
        "        look: {text: Restart",
        "phases.first.sections.At once.look: this key is there already, on line",
    ),
    (
        "        ask: Ask somebody\n",
        "        ask: Ask somebody\n      Then:\n        ask: Ask again\n",
        "scenarios.basket.sections.Then.ask: there is a step of this name already, in Do",
    ),
    (
        "        ask: Ask somebody\n",
        "        ask: Ask somebody\n      Then: {}\n",
        "scenarios.basket.sections.Then: expected steps, each with a name of its own",
    ),
    (
        "        ask: Ask somebody\n",
        "        ask: [Ask]\n",
        "scenarios.basket.sections.Do.ask: expected keys with values",
    ),
    (
        "{pods-crashing: 3}",
        "{pods-crash: 3}",
        "scenarios.basket.fits.pods-crash: there is no symptom that the console can "
        "see pods-crash; did you mean pods-crashing?",
    ),
    (
        "{pods-crashing: 3}",
        "{pods-crashing: 11}",
        "scenarios.basket.fits.pods-crashing: expected a whole number from 1 to 10",
    ),
    ('services: ["basket-*"]', 'services: [""]', "scenarios.basket.services[0]: expected text in quotes, found ''"),
    ("critical: [basket-*]", 'critical: [" "]', "services.critical: expected the name of a workload or a pattern"),
    ('not_critical: ["*"]', 'not_critical: ["basket-*"]', "services.not_critical: basket-* is named already"),
    (
        "signal: pods-ready",
        "signal: pods-redy",
        "checklists.before.items.pods.signal: expected one of endpoints-healthy",
    ),
    (
        "scenarios: [basket]",
        "scenarios: [baskets]",
        "checklists.before.items.pods.scenarios: there is no scenario baskets; did you mean basket?",
    ),
    (
        "severities: [1], scenarios",
        "severities: [9], scenarios",
        "checklists.before.items.pods.severities: there is no severity 9",
    ),
    ("when: resolve", "when: later", "checklists.before.when: expected one of respond, resolve, after, review, found"),
    ("yes: fine", "yes: fin", "framework.answers.yes: there is no node fin; did you mean fine?"),
    ("next: answers", "next: begin", "framework.begin: this goes round in a circle: begin → begin"),
    (
        "{text: Fine}",
        "{text: Fine, next: answers}",
        "framework.answers: this goes round in a circle: answers → fine → answers",
    ),
    (
        "{text: Begin, next: answers}",
        "{text: Begin}",
        "framework.answers: nothing leads here, and the flowchart begins with begin already",
    ),
    (
        "asks: service-responding, ",
        "",
        "framework.answers.yes: nothing is asked here; expected asks: service-responding",
    ),
    ("no: broken}", "no: broken, next: fine}", "framework.answers.next: a question goes on at yes and no"),
    (
        "asks: service-responding",
        "asks: why",
        "framework.answers.asks: expected one of service-responding, pods-running",
    ),
    ("pane: pods", "pane: podz", "framework.broken.pane: expected one of pods, nodes, services, events, changes"),
    ("errors_gone_for: 5 min", "errors_gone_for: 0", "resolution.errors_gone_for: expected a duration"),
    ("watch_for: 3600", "watch: 3600", "resolution.watch: there is no such key; did you mean watch_for?"),
    ("  status-update: |", "  status: |", "templates.status: there is no template that the console fills status"),
    ("[The boss has none]", "[]", "extras.Phone numbers: expected a list of texts"),
    ("[The boss has none]", "none", "extras.Phone numbers: expected a list of texts"),
]


@pytest.mark.parametrize(("part", "instead", "sentence"), WRONG, ids=[f"{case[0]}→{case[1]}"[:60] for case in WRONG])
def test_a_mistake_is_told_with_file_line_key_and_what_was_expected(
    tmp_path: Path, part: str, instead: str, sentence: str
) -> None:
    assert SMALL.count(part) >= 1
    line, _, said = refusal(tmp_path, SMALL.replace(part, instead, 1)).partition(": ")
    assert f"{line}: {said}".startswith(sentence) or said.startswith(sentence), f"{line}: {said}"
    assert 1 <= int(line) <= SMALL.count("\n") + 3


def test_a_response_without_severities_is_none(tmp_path: Path) -> None:
    said = refusal(tmp_path, "acts: {}\nname: A shop\n")
    assert said == "1: severities: missing, expected severities from 1 (critical) to 4 (low)"


# ---------------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    "secret",
    [
        "https://hooks.slack.com/services/T00/B00/XXXX",
        "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
        "AKIAIOSFODNN7EXAMPLE",
        "R0UT1NGKEYR0UT1NGKEYR0UT1NGKEY12",
        "hunter2",
        "shop_slack_url",
        "$SHOP_SLACK_URL",
        "A" * 70,
    ],
)
def test_a_channel_that_holds_a_secret_is_refused_without_repeating_it(tmp_path: Path, secret: str) -> None:
    said = refusal(tmp_path, SMALL.replace("SHOP_SLACK_URL", yaml.dump(secret).splitlines()[0], 1))
    wanted = "expected the name of an environment variable, like WARROOM_SLACK_URL, and never the secret"
    assert said.startswith(f"{line_of('SHOP_SLACK_URL')}: channels.chat.env.url: {wanted}")
    assert secret not in said.replace("WARROOM_SLACK_URL", "")


@pytest.mark.parametrize("option", ["token: abcdef", "api_key: 123", "server: https://ada:hunter2@jira.example"])
def test_a_secret_is_no_option(tmp_path: Path, option: str) -> None:
    text = SMALL.replace("env: {url: SHOP_SLACK_URL}", f"env: {{url: SHOP_SLACK_URL}}, options: {{{option}}}")
    said = refusal(tmp_path, text)
    assert f"channels.chat.options.{option.split(':')[0]}: " in said
    assert "under env" in said
    assert option.split(": ")[1] not in said


# ---------------------------------------------------------------------- anything at all

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.floats(allow_nan=True), st.text(max_size=8),
    st.sampled_from(["yes", "15 min", "pods", "restart", "slack", "1", "basket", "{{ x }}", "resolve", "a-b"]),
)  # fmt: skip
_WORDS = (
    "name severities matrix roles parties channels phases scenarios checklists framework templates extras services "
    "resolution title text when items sections notified env look what asks yes no next kind severity words definition "
    "short status-update"
)
_KEYS = st.one_of(st.sampled_from(_WORDS.split()), st.integers(0, 5), st.text(max_size=6))
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=6)),
    max_leaves=30,
)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=UNHURRIED)
@given(tree=_TREES)
def test_whatever_the_file_holds_it_is_read_or_refused_with_a_sentence(tmp_path: Path, tree: Any) -> None:
    file = written(tmp_path, yaml.dump(tree, Dumper=_DUMPER, allow_unicode=True))
    with contextlib.suppress(ResponseError):
        assert isinstance(load(file).response, Response)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=UNHURRIED)
@given(data=st.data())
def test_whatever_stands_in_one_place_of_a_good_file_it_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    tree = yaml.load(SMALL, _LOADER)  # noqa: S506  # a safe one
    place, key = tree, data.draw(st.sampled_from(sorted(tree, key=str)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place, key=str)))
    place[key] = data.draw(_TREES)
    file = written(tmp_path, yaml.dump(tree, Dumper=_DUMPER, allow_unicode=True))
    with contextlib.suppress(ResponseError):
        load(file)
