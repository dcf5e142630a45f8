"""The README names every key, setting and command there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from runbook.mitigations import TABLE
from tui.cli import build_parser
from tui.keys import KEYS, act_keys, pane_keys

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


NAMES = [
    *(key.id for key in (*KEYS, *act_keys(TABLE.values()))),
    *(f"pane-{name}" for name, _ in pane_keys(databases=True)),
]


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_in_the_table_of_keys_with_the_name_that_remaps_it(name: str) -> None:
    assert f"| `{name}` |" in README


def test_every_setting_of_the_example_is_in_the_table_of_settings() -> None:
    example = tomllib.loads((ROOT / "docs" / "config.example.toml").read_text())
    for table, keys in example.items():
        name = f"[[{table}]]" if isinstance(keys, list) else f"[{table}]"
        for key in keys[0] if isinstance(keys, list) else keys:
            assert f"| `{name} {key}` |" in README


def test_every_command_is_in_the_table_of_commands() -> None:
    actions = [action for action in build_parser("warroom")._actions if action.dest == "command"]
    names = [name for action in actions for name in (action.choices or ())]
    assert {"status", "drill", "log"} <= set(names)
    for name in names:
        assert f"| `warroom {name}" in README


def test_every_picture_and_page_that_it_links_to_is_there() -> None:
    links = [part.split(")")[0].partition("#") for part in README.split("](")[1:]]
    ours = [(page, place) for page, _, place in links if not page.startswith("http")]
    assert [page for page, _ in ours if not (ROOT / page).exists()] == []
    for page, place in ours:
        assert not place or place in _anchors((ROOT / page).read_text(encoding="utf-8")), (page, place)


def _anchors(text: str) -> set[str]:
    """Those of a page's headings, as GitHub makes them."""
    headings = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings}
