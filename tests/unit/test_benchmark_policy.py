"""The reckoning of the policy benchmark: ratios, medians, lines of places, changed traces."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks.policy.asked import at_most, summary
from benchmarks.policy.comparison import compared, judged
from benchmarks.policy.frontier import place_of
from benchmarks.policy.frontier_page import render
from benchmarks.policy.reckoning import Line, Place, Row, lies_below, medians, share_of
from benchmarks.policy.runs import Bench, Job, Terms
from benchmarks.policy.shifts import averaged, rivals
from benchmarks.policy.sources import (
    NoTracesError,
    Source,
    prepared,
    rotated,
    shifted,
    slower,
    sources_of,
    thinned,
)
from benchmarks.policy.speed import pieces
from benchmarks.policy.tables import table
from tests.simulated import a_trace, poisson
from tools.simulator.policies import ALL, FIXED, OURS, REAL

OTHERS = tuple(name for name in ALL if name != OURS)


def a_row(trace: str, ours: float, others: float, bound: float = 10.0) -> Row:
    return Row(trace, bound, {OURS: ours, **dict.fromkeys(OTHERS, others)})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Two requests, an hour apart: 0.3 + 6000 / 6000 + 100 × 0.018 = 3.1 s each."""
    path = tmp_path_factory.mktemp("traces") / "tiny.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("arrival_s,input_tokens,output_tokens\n0,6000,100\n3600,6000,100\n")
    return Source(path)


class TestRatios:
    def test_are_of_the_zero_wait_bound(self) -> None:
        row = Row("one", 20.0, {OURS: 24.0, "keda": 30.0, "native": 25.0})
        assert row.ratio(OURS) == pytest.approx(1.2)
        assert row.best(["keda", "native"]) == "native"
        assert row.against(OURS, ["keda", "native"]) == pytest.approx(24 / 25)

    def test_have_a_median_for_each_policy(self) -> None:
        rows = [a_row("a", 10, 30), a_row("b", 12, 20), a_row("c", 90, 25), a_row("d", 14, 40)]
        found = medians(rows, [OURS, "keda"])
        assert found == {OURS: pytest.approx(1.3), "keda": pytest.approx(2.75)}

    def test_of_shifts_are_means_of_dollars_and_name_the_best_real_one(self) -> None:
        totals = {OURS: 1.0, **dict.fromkeys(OTHERS, 9.0)}
        totals.update(
            {"keda": 5.0, "keep-alive-5": 2.0, "keep-alive-10": 3.0, "keep-alive-15": 4.0}
        )
        other = {name: 3 * usd for name, usd in totals.items()}
        mean = averaged("day", [Row("day", 1.0, totals), Row("day", 3.0, other)])
        assert mean.zero_wait_usd == 2.0
        assert mean.totals["keda"] == 10.0
        assert rivals(mean) == ["keep-alive-5", "keep-alive-10", "keda"]


class TestWhatIsAsked:
    def test_is_met_within_two_percent_of_everybody(self) -> None:
        rows = [a_row("a", 11.5, 12.0), a_row("b", 12.2, 12.0)]
        assert all(one.is_met for one in judged(rows, lost=0))

    def test_names_the_traces_where_ours_is_above(self) -> None:
        rows = [a_row("fine", 11.0, 12.0), a_row("dear", 12.3, 12.0)]
        median, real, fixed, lost = judged(rows, lost=2)
        assert median.is_met
        assert (real.is_met, real.measured) == (False, "not on dear")
        assert (fixed.is_met, fixed.measured) == (False, "not on dear")
        assert not lost.is_met

    def test_misses_a_median_above_it(self) -> None:
        median, *_ = judged([a_row("a", 12.1, 20.0)], lost=0)
        assert (median.is_met, median.measured) == (False, "1.21")

    def test_marks_what_misses_in_the_summary(self) -> None:
        text = summary([at_most("one", 1.0, 2.0), at_most("other", 3.0, 2.0)])
        one, other = text.splitlines()[2:]
        assert "MISSED" not in one
        assert "MISSED" in other


class TestFrontier:
    LINE = Line.through([Place(100, 10), Place(0, 30), Place(50, 31), Place(300, 5)])

    def test_leaves_out_what_another_beats(self) -> None:
        assert self.LINE.places == (Place(0, 30), Place(100, 10), Place(300, 5))

    @pytest.mark.parametrize(
        ("minutes", "usd"), [(0, 30), (50, 20), (100, 10), (200, 7.5), (300, 5), (900, 5)]
    )
    def test_is_straight_between_its_places(self, minutes: float, usd: float) -> None:
        assert self.LINE.usd_at(minutes) == pytest.approx(usd)

    def test_does_not_reach_below_its_first_place(self) -> None:
        line = Line.through([Place(10, 5)])
        assert line.usd_at(9) is None
        assert share_of(line, Place(9, 1000)) is None

    def test_says_what_ours_costs_at_as_much_waiting(self) -> None:
        assert share_of(self.LINE, Place(50, 25)) == pytest.approx(0.8)

    def test_lies_below_when_it_does_at_the_corners_of_both(self) -> None:
        above = Line((Place(0, 40), Place(300, 20)))
        crossing = Line((Place(0, 31), Place(300, 6)))  # 18.5 dollars at 150
        dented = Line((Place(0, 31), Place(60, 12), Place(300, 6)))
        assert lies_below(self.LINE, above)
        assert lies_below(self.LINE, crossing)
        assert not lies_below(self.LINE, dented)
        assert not lies_below(above, self.LINE)

    def test_sees_a_corner_of_ours_above_the_line_of_others(self) -> None:
        ours = Line((Place(0, 30), Place(100, 29), Place(200, 1)))
        straight = Line((Place(0, 31), Place(200, 2)))
        assert not lies_below(ours, straight)

    def test_is_drawn_with_every_name(self) -> None:
        page = render({0.01: Place(10, 5)}, {"keda": Place(900, 9), "a<b": Place(0, 20)})
        assert "ours, $0.01" in page
        assert "keda" in page
        assert "a&lt;b" in page


class TestSources:
    def test_thinned_keeps_the_share_and_always_the_same(self) -> None:
        trace = poisson(5000, 1.0, 2.0)
        assert len(thinned(trace)) == pytest.approx(2000, rel=0.06)
        assert thinned(trace) == thinned(trace)

    def test_rotated_puts_the_second_half_first(self) -> None:
        trace = rotated(a_trace(0.0, 10.0, 60.0, 100.0))
        assert trace.arrivals == [10.0, 50.0, 50.0, 60.0]

    def test_slower_and_shifted_change_one_thing_each(self) -> None:
        trace = a_trace(0.0, 5.0, service=2.0)
        assert slower(trace).services == [6.0, 6.0]
        assert shifted(trace, 7.0).arrivals == [7.0, 12.0]

    def test_are_cut_into_pieces_that_hold_every_request_once(self) -> None:
        found = list(pieces(a_trace(0.0, 9.0, 10.0, 45.0, service=2.0), 10.0))
        assert [piece.arrivals for piece in found] == [[0.0, 9.0], [0.0], [5.0]]
        assert [len(piece.services) for piece in found] == [2, 1, 1]

    def test_are_found_by_folder_and_glob_once_each(self, tiny: Source) -> None:
        folder = tiny.path.parent
        assert sources_of([str(folder), str(folder / "t*.gz")]) == [tiny]
        assert tiny.name == "tiny"

    def test_say_how_to_name_them_when_there_are_none(self, tmp_path: Path) -> None:
        with pytest.raises(NoTracesError, match="TRACES="):
            sources_of([str(tmp_path / "nowhere")])


class TestRuns:
    def test_reckon_a_tiny_trace_as_by_hand(self, tiny: Source) -> None:
        assert prepared(tiny)[0].services == pytest.approx([3.1, 3.1])
        with Bench(processes=1) as bench:
            (found,) = compared(bench, [tiny], ("always-on", "keep-alive-10"), lowest=True)
            row = found.row
            hour = 2.61 / 3600
            # Awake for 3.1 s, a start (245 s) and a release (60 s) in the gap, 3.1 s; at the end
            # nothing is left to release in time.
            assert row.zero_wait_usd == pytest.approx((3.1 + 305 + 3.1) * hour, rel=0.01)
            assert row.totals["always-on"] == pytest.approx(3603.1 * hour, rel=0.01)
            waited = found.outcomes["keep-alive-10"].waiting_usd
            assert waited == pytest.approx((245 - 10) / 60 * 0.01, rel=0.02)
            assert found.bounds.fleet == 1
            # Others never look at the price: twice the price is twice the dollars of waiting.
            dearer = bench.outcome(Job(tiny, "keep-alive-10", Terms(waiting_usd=0.02)))
            assert dearer.waiting_usd == pytest.approx(2 * waited)
            assert dearer.usd == found.outcomes["keep-alive-10"].usd
            place = place_of(bench, [tiny, tiny], "keep-alive-10", Terms())
            assert place.minutes == pytest.approx(2 * 235 / 60, rel=0.02)


def test_a_table_is_markdown_with_padded_columns() -> None:
    lines = table(("name", "n", ""), [("a", "1,000", ""), ("bcdef", "2", "")]).splitlines()
    assert lines == [
        "| name  |     n |     |",
        "| ----- | ----: | --: |",
        "| a     | 1,000 |     |",
        "| bcdef |     2 |     |",
    ]


def test_every_baseline_is_asked_about() -> None:
    assert {*REAL, *FIXED, OURS, "native-no-retries"} == set(ALL)
