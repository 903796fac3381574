"""NAVSIM's files from disk to means: what is shown, what is withheld, and that splitting files changes nothing."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.stages.navsim import check_comparable, navsim_data, score_navsim
from tests.unit.results.drawn import write
from tests.unit.results.navsim_csv import DAC, EC, EP, LK, NC, TTC, V1, V2, average, row, text_of, two_stages, v1, v2


def test_a_complete_file(tmp_path: Path) -> None:
    report = score_navsim(
        [write(tmp_path / "a.csv", v1(row(1, **{EP: 0.4}), row(2, **{NC: 0.5}), row(3, **{DAC: 0.0})))]
    )
    assert report.mean.percent == pytest.approx(100 * (0.75 + 0.5 + 0.0) / 3)
    assert report.subscores[NC].percent == pytest.approx(250 / 3)
    assert report.is_complete and not report.mismatches and not report.notes


def test_a_token_on_which_the_agent_failed_leaves_the_set_incomplete(tmp_path: Path) -> None:
    report = score_navsim([write(tmp_path / "a.csv", v1(row(1), row(2, is_valid=False)))])
    assert not report.is_complete
    assert [token.token[-1] for token in report.invalid] == ["2"]
    assert (report.mean.percent, report.mean.tokens) == (100.0, 1)


def test_a_file_without_its_averages_may_be_cut(tmp_path: Path) -> None:
    report = score_navsim([write(tmp_path / "a.csv", v1(row(1)).rsplit("\n", 2)[0] + "\n")])
    assert report.cut == (str(tmp_path / "a.csv"),)
    assert not report.is_complete


def test_an_average_that_does_not_follow_is_noted(tmp_path: Path) -> None:
    rows = [row(1), row(2, **{EP: 0.0})]
    text = text_of([rows[0], {**average(rows, V1), "score": 0.5}], V1)
    report = score_navsim([write(tmp_path / "a.csv", text)])
    assert report.notes == (f"{tmp_path / 'a.csv'}: row average states 50.0000, its tokens give 100.0000",)
    assert report.is_complete


def test_filtered_subscores_with_scores_of_before_are_listed(tmp_path: Path) -> None:
    # What NAVSIM before 2.2 wrote: the human's faults forgiven in the columns, not in the score.
    rows = [{**row(1, columns=V2), "score": 0.0}, row(2, columns=V2, **{TTC: 0.0})]
    report = score_navsim([write(tmp_path / "a.csv", v2(*rows))])
    assert [(each.token[-1], each.found, each.expected) for each in report.mismatches] == [("1", 0.0, 1.0)]
    assert report.mean.percent == pytest.approx(100 * (1 + 11 / 16) / 2)
    assert report.stated.percent == pytest.approx(100 * (11 / 16) / 2)


def test_two_stages_have_stage_one_anew_and_the_rest_as_stated(tmp_path: Path) -> None:
    first = [row(1, columns=V2), row(2, columns=V2, **{LK: 0.0})]
    second = [row(number, columns=V2, **{NC: 0.0}) for number in range(3, 8)]
    second[0]["score"] = 0.5
    file = write(tmp_path / "a.csv", two_stages(first, second, two=0.4, combined=0.3))
    report = score_navsim([file])
    assert (report.mean.percent, report.mean.tokens) == (pytest.approx(100 * (1 + 14 / 16) / 2), 2)
    assert len(report.stage_two) == 5
    assert report.subscores[NC].percent == 100.0
    assert [each.token[-1] for each in report.mismatches] == ["3"]
    assert report.is_complete and not report.notes
    data = navsim_data(report, with_means=True)
    assert data["stated_stages"] == {"stage_two": pytest.approx(40.0), "combined": pytest.approx(30.0)}
    other = write(tmp_path / "b.csv", two_stages([row(11, columns=V2)], [], two=0.2, combined=0.1))
    # Of two runs neither combined score is that of both.
    assert score_navsim([file, other]).stated_stage("extended_pdm_score_combined") is None


def test_agents_of_two_kinds_are_not_compared(tmp_path: Path) -> None:
    old = score_navsim([write(tmp_path / "a.csv", v1(row(1)))])
    new = score_navsim([write(tmp_path / "b.csv", v2(row(1, columns=V2)))])
    hard = score_navsim([write(tmp_path / "c.csv", two_stages([row(1, columns=V2)], [], two=0, combined=0))])
    check_comparable({"a": old, "b": old})
    for other, kind in ((new, "v2"), (hard, "v2 with two stages")):
        with pytest.raises(ConfigError, match=f"found A of NAVSIM v1 and B of NAVSIM {kind}, expected one kind"):
            check_comparable({"A": old, "B": other})


_UNIT = st.floats(0.0, 1.0)
_ROWS = st.lists(
    st.builds(
        lambda values, is_valid: (values, is_valid),
        st.fixed_dictionaries({EP: _UNIT, NC: st.sampled_from([0.0, 0.5, 1.0]), EC: st.sampled_from([None, 0.0, 1.0])}),
        st.integers(0, 9).map(bool),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(_ROWS, st.randoms(), st.integers(1, 3))
def test_order_of_rows_and_files_changes_nothing(drawn: list[Any], random: Any, parts: int) -> None:
    rows = [row(number, columns=V2, is_valid=ok, **values) for number, (values, ok) in enumerate(drawn)]
    mixed = list(rows)
    random.shuffle(mixed)
    with tempfile.TemporaryDirectory() as folder:
        whole = score_navsim([write(Path(folder) / "whole" / "a.csv", v2(*rows))])
        for part in range(parts):
            if mixed[part::parts]:
                write(Path(folder) / "split" / f"{part}.csv", v2(*mixed[part::parts]))
        split = score_navsim([Path(folder) / "split"])
    assert (split.mean, split.stated, split.subscores) == (whole.mean, whole.stated, whole.subscores)
    assert len(split.invalid) == len(whole.invalid) == sum(not ok for _, ok in drawn)
    assert not split.mismatches and not split.cut
    assert whole.mean.percent is None or 0.0 <= whole.mean.percent <= 100.0 + 1e-9
    json.dumps(navsim_data(split, with_means=True), allow_nan=False)
