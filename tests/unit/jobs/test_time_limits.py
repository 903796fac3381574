"""Time limits as people type them and as Slurm prints them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.jobs.templates import LONGEST_LIMIT_S, parse_time_limit, slurm_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("0s", 0), ("0:00", 0), ("86400", 86_400), ("90s", 90), ("5m", 300), ("4h", 14_400), ("2d", 172_800),
        ("1.5h", 5400), ("0.1", 1), ("30:00", 1800), ("90:00", 5400), ("0:30", 30), ("4:00:00", 14_400),
        ("1-0", 86_400), ("1-12", 129_600), ("1-00:30", 88_200), ("2-03:04:05", 183_845), (" 60 ", 60), ("0-1", 3600),
    ],
)  # fmt: skip
def test_time_limit_is_read_as_gnu_timeout_and_slurm_read_it(text: str, seconds: int) -> None:
    assert parse_time_limit(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "abc", "-5", "4 h", "1h30m", "1:60", "1:2:3:4", "1:60:00", "1-24", "1-0:60", "1-0:0:60", "1-", "-1",
     ":30", "1e3", "inf", "UNLIMITED", "0x10", "\N{FULLWIDTH DIGIT FIVE}", "1.5:00", "99999999999", "5m\n5m"],
)  # fmt: skip
def test_other_time_limits_are_refused_with_what_to_type(text: str) -> None:
    with pytest.raises(ConfigError, match="time limit is") as error:
        parse_time_limit(text)
    assert "TIMEOUT=4h" in str(error.value.hint)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (1, "00:01:00"), (60, "00:01:00"), (61, "00:02:00"), (3600, "01:00:00"), (86_399, "1-00:00:00"),
     (86_400, "1-00:00:00"), (183_845, "2-03:05:00"), (8_640_000, "100-00:00:00")],
)  # fmt: skip
def test_slurm_time_is_rounded_up_to_a_minute(seconds: int, text: str) -> None:
    assert slurm_time(seconds) == text


@given(st.integers(0, LONGEST_LIMIT_S - 60))
def test_slurm_time_is_understood_and_never_shorter(seconds: int) -> None:
    assert 0 <= parse_time_limit(slurm_time(seconds)) - seconds < 60


@given(st.text(max_size=12))
def test_any_text_is_a_time_limit_or_a_config_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert parse_time_limit(text) >= 0
