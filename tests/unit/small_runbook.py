"""A small runbook file with one of everything, and the sentence with which a wrong one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook.response_file import ResponseError, load

SMALL = """\
name: A shop
severities:
  1: {name: Bad, definition: Nobody can buy, update_every: 15 min, resolve_within: 2 h}
  2: {name: Less bad, definition: Some cannot buy}
matrix:
  - {words: Down is bad, when: {service_down: yes}, severity: 1}
roles:
  ic: {name: Incident Commander, short: IC}
parties:
  boss: {name: The boss, notified: {1: yes, 2: judge}}
channels:
  chat: {name: Chat, kind: slack, env: {url: SHOP_SLACK_URL}, severities: [1], parties: [boss]}
phases:
  first:
    title: First
    sections:
      At once:
        look: {text: Look, code: kubectl get pods, look: pods}
        restart: {text: Restart, mitigation: restart}
scenarios:
  basket:
    title: The basket is empty
    symptoms: Nobody has anything in it
    fits: {pods-crashing: 3}
    services: ["basket-*"]
    sections:
      Do:
        logs: {text: Read its log, look: {what: logs, of: basket}}
        ask: Ask somebody
checklists:
  before:
    title: Before it is over
    when: resolve
    items:
      pods: {text: Pods are ready, signal: pods-ready, severities: [1], scenarios: [basket]}
      tell: Everybody was told
framework:
  begin: {text: Begin, next: answers}
  answers: {text: "Does it answer?", asks: service-responding, yes: fine, no: broken}
  fine: {text: Fine}
  broken: {text: Broken, pane: pods}
services:
  critical: [basket-*]
  not_critical: ["*"]
resolution: {errors_gone_for: 5 min, watch_for: 3600}
templates:
  status-update: |
    {{ incident_id }} is {{ status }}
    {{ impact }}
extras:
  Phone numbers: [The boss has none]
"""


def written(directory: Path, text: str) -> Path:
    file = directory / "runbook.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(directory: Path, text: str, *, compiled: bool = False) -> str:
    """The sentence without the file's name, which every sentence must begin with."""
    file = written(directory, text)
    with pytest.raises(ResponseError) as caught:
        load(file, compiled=compiled)
    sentence = str(caught.value)
    assert sentence.startswith(f"{file}:"), sentence
    assert "\n" not in sentence
    return sentence[len(str(file)) + 1 :].strip()


def line_of(part: str) -> int:
    """The line of `SMALL` on which this stands."""
    return 1 + SMALL[: SMALL.index(part)].count("\n")
