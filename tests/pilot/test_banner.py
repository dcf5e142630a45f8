"""The banner: what it says at 200 and at 80 columns, and that only what changed is painted again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tests.pilot.pane_harness import NOW, PaneApp
from widgets.banner import Banner
from widgets.banner_state import BannerState, countdown, stopwatch

STATE = BannerState(
    incident_id="INC-20261123-1406-ab3f",
    title="Payments failing for web and app",
    severity=2,
    status="MITIGATING",
    open=True,
    opened_at=NOW - 878,
    next_update_at=NOW + 1282,
    roles=(("IC", "ops-manager"), ("TL", "you")),
    environment="production",
    production=True,
    context="aks-prod-westeurope",
    namespace="banking-platform-prod",
    version="v1.34",
    armed_until=NOW + 492,
    probes_live=9,
    pods=41,
    unhealthy=4,
    unhealthy_trend=(0, 0, 4, 4),
    nodes=4,
    pressured=1,
    errors_per_minute=96,
)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Elsewhere the banner says the local time as well."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


async def rows(state: BannerState, columns: int, now: float = NOW) -> list[str]:
    banner = Banner()
    app = PaneApp(banner)
    async with app.run_test(size=(columns, 5)) as pilot:
        banner.show(state)
        banner.tick(now)
        await pilot.pause()
        assert app.widths() == {columns}
        return [row.strip() for row in app.lines if row.strip()]


async def test_three_rows_say_it_all_on_a_wide_screen() -> None:
    assert await rows(STATE, 200) == [
        "SEV 2   INC-20261123-1406-ab3f  Payments failing for web and app   MITIGATING  open 00:14:38"
        "   next update in 21:22   IC ops-manager · TL you",
        "PRODUCTION   aks-prod-westeurope · banking-platform-prod   k8s 1.34   ARMED 08:12"
        "   probes 9 live · 0 stale   14:20:44 UTC",
        "unhealthy 4 of 41 pods   ▁▁▇▇   1 of 4 nodes under pressure   error events 96/min",
    ]


async def test_two_rows_keep_what_matters_at_eighty_columns() -> None:
    first, second = await rows(STATE, 80)
    for part in ("SEV 2", "INC-20261123-1406", "MITIGATING", "00:14:38", "21:22"):
        assert part in first
    for part in ("PRODUCTION", "aks-pr", "ARMED 08:12", "14:20", "✗ 4/41"):
        assert part in second


@pytest.mark.parametrize("columns", [20, 40, 60, 79, 80, 100, 119, 120, 160, 250])
async def test_it_fits_every_width(columns: int) -> None:
    assert len(await rows(STATE, columns)) == (3 if columns >= 120 else 2)


async def test_an_update_turns_loud_two_minutes_before_it_is_due_and_is_overdue_in_words() -> None:
    assert "next update in 02:01" in (await rows(STATE, 200, NOW + 1161))[0]
    assert "! next update in 02:00" in (await rows(STATE, 200, NOW + 1162))[0]
    assert "! UPDATE OVERDUE 00:18" in (await rows(STATE, 200, NOW + 1300))[0]
    assert "OVERDUE 00:18" in (await rows(STATE, 80, NOW + 1300))[0]


async def test_what_is_due_is_seen_without_its_colour() -> None:
    banner = Banner()
    async with PaneApp(banner).run_test(size=(200, 5)) as pilot:
        banner.show(STATE)
        for now, loud in ((NOW, False), (NOW + 1200, True), (NOW + 1300, True)):
            banner.tick(now)
            await pilot.pause()
            styles = [
                segment.style for segment in banner.render_line(0) if "pdate" in segment.text or "UPD" in segment.text
            ]
            assert [bool(style and style.reverse) for style in styles] == [loud]


async def test_an_expired_arming_is_not_shown() -> None:
    assert "ARMED" not in "".join(await rows(STATE, 200, NOW + 493))


async def test_without_an_incident_it_names_the_last_one_and_how_to_declare() -> None:
    state = BannerState(incident_id="INC-1", status="RESOLVED", title="Login slow", changed_at=NOW - 2 * 86_400 - 60)
    first = (await rows(state, 200))[0]
    assert first == "No incident open   last INC-1 RESOLVED 2d ago  Login slow   I declares one"
    assert (await rows(BannerState(declare_key="ctrl+i"), 200))[0] == "No incident open   ctrl+i declares one"


async def test_a_relapse_is_as_loud_as_anything_at_every_width() -> None:
    state = BannerState(
        incident_id="INC-1",
        status="RESOLVED",
        title="Login slow",
        changed_at=NOW - 240,
        relapse="payment-service unhealthy 4 min after resolution",
    )
    assert (await rows(state, 200))[0] == (
        "✗ RELAPSE: payment-service unhealthy 4 min after resolution   v reopens   INC-1   I declares another"
    )
    narrow = (await rows(state, 80))[0]
    assert narrow.startswith("✗ RELAPSE: payment-service")
    assert "v reopens" in narrow
    assert "RELAPSE" not in "".join(await rows(replace(state, relapse=""), 200))


async def test_the_severity_has_its_word_and_a_missing_lead_is_said_where_there_is_room() -> None:
    state = replace(STATE, severity_word="High", roles=(("no", "IC"), ("TL", "ada")))
    first = (await rows(state, 200))[0]
    assert first.startswith("SEV 2 HIGH ")
    assert first.endswith("no IC · TL ada")
    assert "SEV 2" in (await rows(state, 80))[0]


async def test_stale_probes_and_read_only_are_never_given_up() -> None:
    state = replace(STATE, read_only=True, probes_stale=2, probes_live=7)
    second = (await rows(state, 80))[1]
    assert "READ-ONLY" in second
    assert "! 2 stale" in second
    assert "ARMED" not in second


async def test_a_drill_is_marked_as_one() -> None:
    assert "DRILL" in (await rows(replace(STATE, drill=True), 80))[0]


async def test_what_is_not_known_is_not_drawn() -> None:
    state = BannerState(environment="staging", context="kind-lab")
    text = "\n".join(await rows(state, 200))
    for word in ("pods", "nodes", "k8s", "SEV", "None", "update"):
        assert word not in text


async def test_a_second_repaints_only_the_rows_that_read_differently() -> None:
    banner = Banner()
    app = PaneApp(banner)
    async with app.run_test(size=(200, 5)) as pilot:
        banner.show(STATE)
        banner.tick(NOW)
        await pilot.pause()
        third = banner._strips[2]
        banner.tick(NOW + 1)
        assert banner._strips[2] == third
        assert {region.y for region in banner._repaint_regions} == {0, 1}
        await pilot.pause()
        banner.tick(NOW + 1)
        assert not banner._repaint_regions


def test_clocks_count_up_and_down_and_never_below_nothing() -> None:
    assert [stopwatch(seconds) for seconds in (-5, 59.9, 3600, 97_440)] == [
        "00:00:00",
        "00:00:59",
        "01:00:00",
        "1d 03:04",
    ]
    assert [countdown(seconds) for seconds in (-5, 59.9, 3600, 5025)] == ["00:00", "00:59", "1:00:00", "1:23:45"]
