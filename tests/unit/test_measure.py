"""What a review asks and is measured against is the runbook file's; where that is silent, the neutral standard's."""

from __future__ import annotations

from incident.standard import NEUTRAL, Topic
from runbook import playbook_file, response_file
from runbook.response import Channel, Checklist, Item, Phase, Response, Scenario, SeverityLevel
from tui.measure import converted


def test_the_banking_platforms_runbook_asks_what_the_neutral_standard_asks() -> None:
    found = converted(response_file.load(playbook_file.find("banking-platform")).response)

    assert (found.topics, found.mandatory) == (NEUTRAL.topics, NEUTRAL.mandatory)
    for level in NEUTRAL.levels:
        own = found.level(level.level)
        assert own is not None
        assert (own.detect_within, own.respond_within, own.resolve_within) == (
            level.detect_within,
            level.respond_within,
            level.resolve_within,
        )


def test_a_platform_brings_its_own_targets_questions_and_names() -> None:
    found = converted(
        Response(
            name="mine",
            severities=(SeverityLevel(level=1, name="Red", headline="", definition="", resolve_within=60.0),),
            channels=(Channel(id="room", name="The Room", kind="slack"),),
            phases=(Phase(id="p", title="First", window=""),),
            scenarios=(Scenario(id="s", number=1, title="Empty baskets", symptoms=""),),
            checklists=(Checklist(id="r", title="Look back", when="review", items=(Item(id="a", text="All read"),)),),
            templates={
                "review": "# {{ incident_id }}\n## Timeline\n## Why\n### Once more?\n### {{ asked }}\n"
                "### Response Time Analysis\n## Learned\n## Action Items\n### nobody\n"
            },
        )
    )

    assert found.severity_words(1) == "1 (Red)"
    assert found.topics == (Topic(title="Why", questions=("Once more?",)), Topic(title="Learned"))
    assert found.mandatory == ("All read",)
    assert found.channels == {"room": "The Room"}
    assert found.checklists == {"p": "Phase 1: First", "s": "Scenario 1: Empty baskets", "r": "Look back"}


def test_a_response_that_says_nothing_leaves_the_neutral_standard() -> None:
    found = converted(Response(name="", severities=()))

    assert (found.levels, found.topics, found.mandatory) == (NEUTRAL.levels, NEUTRAL.topics, NEUTRAL.mandatory)
