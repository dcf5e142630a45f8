"""The runbook file's templates: what they say, and everything they may not do."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from incident.templates import TIME_LIMIT, UPDATE_FIELDS, VALUE_LIMIT, TemplateError, render, rendered

VALUES: dict[str, Any] = {
    "incident_id": "INC-20261123-1402-ab3f",
    "severity": 1,
    "status": "MITIGATING",
    "impact": "Card payments fail for {{ everybody }}",
    "since": ["rolled back to revision 11", "scaled payment-service to 5"],
    "next_update": "14:35 UTC",
    "ic": "",
}


def refusal(source: str, **more: Any) -> str:
    with pytest.raises(TemplateError) as caught:
        render(source, VALUES | more)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_the_runbooks_own_form_is_filled() -> None:
    source = (
        "🚨 INCIDENT UPDATE - {{ incident_id }}\nSeverity: {{ severity }}\nImpact: {{ impact }}\n"
        "{% for one in since %}\n- {{ one }}\n{% endfor %}\nIC: {{ ic or 'not named yet' }}\n"
    )
    assert render(source, VALUES) == (
        "🚨 INCIDENT UPDATE - INC-20261123-1402-ab3f\nSeverity: 1\nImpact: Card payments fail for {{ everybody }}\n"
        "- rolled back to revision 11\n- scaled payment-service to 5\nIC: not named yet"
    )


def test_an_unknown_name_is_told_with_its_line() -> None:
    assert refusal("one\ntwo\n{{ comander }}") == (
        "The template status-update failed, line 3: 'comander' is undefined."
    )


def test_what_cannot_be_read_is_told_with_its_line() -> None:
    said = refusal("one\n{% if severity %}\nthree")
    assert said.startswith("The template status-update cannot be read, line 3: ")
    assert "endif" in said


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ incident_id.__class__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ since.append('x') }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{x:1000000000}'.format_map({'x': 1}) }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'x' * 1000000000 }}",
        "{{ [0] * 1000000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{% for n in range(1000000000) %}x{% endfor %}",
        "{% for n in range(0, 1000000000) %}{% endfor %}",
        "{{ 'aaaaaaaaaaaaaaaa'|replace('a', big) }}",
        "{{ [big, big, big]|join(big) }}",
    ],
)
def test_what_is_dangerous_is_refused_in_one_sentence(source: str) -> None:
    said = refusal(source, big="b" * 60_000)
    assert said.startswith("The template status-update ")
    assert "\n" not in said
    assert len(said) < 300


def test_a_text_that_doubles_line_by_line_is_stopped() -> None:
    source = "{% set x = 'x' %}\n" + "{% set x = x ~ x %}\n" * 60 + "{{ x }}"
    assert f"more than {VALUE_LIMIT:,} characters" in refusal(source)


def test_a_loop_that_prints_too_much_is_stopped() -> None:
    assert f"at most {VALUE_LIMIT:,} are kept" in refusal("{% for n in range(900) %}" + "x" * 100 + "{% endfor %}")


def test_loops_in_loops_are_stopped_after_a_while() -> None:
    source = "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}" + "{% endfor %}" * 3
    assert f"it takes more than {TIME_LIMIT:g} s" in refusal(source)


def test_a_machine_that_stands_still_meanwhile_is_no_fault_of_the_template() -> None:
    class Stalled:
        def __str__(self) -> str:
            time.sleep(TIME_LIMIT + 0.1)
            return "late"

    assert render("{{ impact }}\n{{ status }}", VALUES | {"impact": Stalled()}) == "late\nMITIGATING"


def test_a_template_of_a_megabyte_is_not_read() -> None:
    assert "at most 16,384 are read" in refusal("x" * 1_000_000)


def test_every_field_of_an_update_is_documented() -> None:
    assert set(VALUES) <= set(UPDATE_FIELDS)


async def test_rendering_leaves_the_loop_alone() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(tick())
    assert await rendered("{% for a in range(1000) %}{% for b in range(5) %}{% endfor %}{% endfor %}ok", VALUES) == "ok"
    beside.cancel()
    assert ticks > 1
