"""Ports, from tables of the kernel."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.checks.network import (
    examine_ports,
    judge_blocks,
    judge_kernel_range,
    parse_listening,
    parse_range,
)
from harness.jobs.ports import take_port_block

# A listener at 21003 (520B), one at 22, and a connection from 21010 (5212).
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:520B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23021 1
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23022 1
   2: 0100007F:5212 0100007F:07D0 01 00000000:00000000 00:00000000 00000000     0        0 23023 1
"""


def test_ports_of_listeners_are_read() -> None:
    assert parse_listening(TABLE) == {21003, 22}


@given(st.text())
def test_any_text_is_a_table(text: str) -> None:
    parse_listening(text)
    parse_range(text)


def test_busy_blocks_are_counted_once() -> None:
    check = judge_blocks({21003, 21007, 28999, 22, 29000}, "", cores=4)
    assert (check.state, check.found) == ("ok", "798 of 800 blocks of 10 free from 21000 to 29000")


def test_too_few_blocks_are_a_warning_and_none_is_fatal() -> None:
    nearly_all = set(range(21000, 28990))
    assert judge_blocks(nearly_all, "", cores=2).state == "warning"
    none = judge_blocks(range(21000, 29000), "no free block of 10 ports between 21000 and 29000", cores=2)
    assert none.is_fatal
    assert "no free block" in none.found


@pytest.mark.parametrize(
    ("text", "state"),
    [("32768\t60999\n", "ok"), ("1024\t65535\n", "warning"), ("28999 40000", "warning"), ("1024 21000", "warning"),
     ("29000 40000", "ok"), ("1024 20999", "ok"), ("nonsense", "ok"), ("", "ok")],
)  # fmt: skip
def test_range_of_the_kernel_must_not_reach_ours(text: str, state: str) -> None:
    assert judge_kernel_range(parse_range(text)).state == state


def test_listener_of_this_machine_is_seen() -> None:
    block = take_port_block()
    try:
        with socket.create_server(("127.0.0.1", block.rpc + 2)):
            check, _ = examine_ports(1)
    finally:
        block.release()
    assert check.state == "ok"
    assert not check.found.startswith("800 of 800")
