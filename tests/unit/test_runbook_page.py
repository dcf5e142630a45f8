"""The page about the runbook file: its example can be read, and everything that a file may name stands on it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from incident.channels.kinds import KINDS
from incident.templates import UPDATE_FIELDS
from runbook.response import FACTS, Asks, ChannelKind, LookAt, Signal, Symptom, When
from runbook.response_file import TEMPLATES, load

PAGE = (Path(__file__).parents[2] / "docs" / "runbook-file.md").read_text(encoding="utf-8")


def test_the_example_on_the_page_is_a_runbook_file(tmp_path: Path) -> None:
    file = tmp_path / "runbook.yaml"
    file.write_text(PAGE.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    response = load(file, compiled=True).response
    assert response.name == "A shop"
    assert response.channels
    assert response.scenarios


@pytest.mark.parametrize(
    "names",
    [
        FACTS,
        TEMPLATES,
        tuple(UPDATE_FIELDS),
        tuple(KINDS),
        *(get_args(kind) for kind in (Asks, ChannelKind, LookAt, Signal, Symptom, When)),
    ],
    ids=["facts", "templates", "fields", "channels", "asks", "kinds", "looks", "signals", "symptoms", "when"],
)
def test_every_word_that_a_file_may_use_is_on_the_page(names: tuple[str, ...]) -> None:
    assert [name for name in names if name not in PAGE] == []


def test_what_a_channel_needs_is_on_the_page() -> None:
    for name, kind in KINDS.items():
        (row,) = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
        for word in (*kind.needs, *kind.may, *kind.must, *kind.options):
            assert f"`{word}`" in row, f"{name}: {word}"
