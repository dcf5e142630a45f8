"""The arithmetic of a rolling update keeps its two promises and always arrives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drill.rolling import Count, Fence, new_size, old_sizes, proportional, resolve


def test_percentages_round_up_for_surge_and_down_for_unavailable() -> None:
    assert resolve("25%", 3, up=True) == 1
    assert resolve("25%", 3, up=False) == 0
    assert resolve("100%", 3, up=False) == 3
    assert resolve(2, 3, up=True) == 2
    assert resolve(None, 10, up=True) == 3


def test_a_strategy_that_could_never_move_may_lose_one() -> None:
    rolling = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}
    assert Fence.of({"replicas": 4, "strategy": rolling}) == Fence(0, 1)


def test_pods_that_are_sick_anyway_go_first() -> None:
    sizes = old_sizes(3, Fence(1, 1), Count(1, 0), [Count(1, 0), Count(2, 2)])
    assert sizes == [0, 2]


@given(
    desired=st.integers(0, 30),
    surge=st.integers(0, 30),
    unavailable=st.integers(0, 30),
    old=st.lists(st.integers(0, 20), max_size=3),
)
def test_a_rollout_arrives_and_never_has_too_many_or_too_few(
    desired: int, surge: int, unavailable: int, old: list[int]
) -> None:
    rolling = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    fence = Fence.of({"replicas": desired, "strategy": rolling})
    start = sum(old)
    new, rest = 0, [*old]
    for _ in range(200):
        grown = new_size(desired, fence, Count(new, new), [Count(n, n) for n in rest])
        if grown == new and not any(rest):
            break
        new = grown
        # Everything that was started is available by the next turn.
        rest = old_sizes(desired, fence, Count(new, new), [Count(n, n) for n in rest])
        total = new + sum(rest)
        assert total <= max(desired + fence.surge, start)
        assert total >= min(desired - fence.unavailable, start)
    assert (new, sum(rest)) == (desired, 0)


@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=5), allowed=st.integers(0, 200))
def test_a_scale_is_spread_over_all_sets_to_the_last_replica(sizes: list[int], allowed: int) -> None:
    spread = proportional(sizes, allowed)
    assert min(spread) >= 0
    if sum(sizes) and allowed >= len(sizes):
        assert sum(spread) == allowed
