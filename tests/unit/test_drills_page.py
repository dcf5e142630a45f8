"""docs/drills.md names everything that a scenario can say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from msgspec.structs import fields

from drill.scenario import Addon, Commit, External, Node, Scenario, Service
from drill.script import Step
from drill.variation import Row

PAGE = (Path(__file__).parents[2] / "docs" / "drills.md").read_text(encoding="utf-8")
UNSAID = {"size", "host_network"}
"""What nobody needs before they have seen it in a scenario that ships."""


def test_every_part_step_and_key_of_a_scenario_is_on_the_page() -> None:
    words = {*re.findall(r"[\w-]+", PAGE)}
    keys = {
        field.encode_name for kind in (Scenario, Node, Service, Addon, Commit, External, Row) for field in fields(kind)
    }
    for step in get_args(Step):
        keys |= {str(step.__struct_config__.tag), *(field.encode_name for field in fields(step))}
    assert keys - words - UNSAID == set()
