"""Frames survive being written and read; what else a file may hold is refused and never run."""

from __future__ import annotations

import io
import lzma
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.errors import HarnessError
from harness.record import pickles
from harness.record.pickles import read_pickle, write_pickle

TYPES = ("float16", "float32", "float64", "int64", "int8", "uint8", "bool")
NUMBERS = st.sampled_from(TYPES).flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FRAME: dict[str, Any] = {
    "a": np.arange(6, dtype=np.float16).reshape(3, 2),
    "b": [1, 2.5, "x", None, True, (1, 2), b"yz"],
    "c": np.float32(2.5),
    "d": np.zeros((0, 2), np.float32),
    "e": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}


def is_same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(is_same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(is_same, first, second))
    return type(first) is type(second) and (first == second or first != first)


def save(file: Path, raw: bytes) -> Path:
    file.write_bytes(lzma.compress(raw))
    return file


@given(data=PLAIN)
def test_plain_data_survives(data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "plain.pkl"
    write_pickle(file, data)
    assert is_same(read_pickle(file), data)
    with lzma.open(file, "rb") as opened:
        assert is_same(pickle.load(opened), data)


def test_files_name_only_what_every_numpy_has(tmp_path: Path) -> None:
    write_pickle(tmp_path / "frame.pkl", FRAME)
    raw = lzma.decompress((tmp_path / "frame.pkl").read_bytes())
    names = {argument for code, argument, _ in pickletools.genops(raw) if code.name in ("GLOBAL", "STACK_GLOBAL")}
    assert names == {
        *("numpy.core.multiarray _reconstruct", "numpy.core.multiarray scalar", "numpy ndarray", "numpy dtype")
    }


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_is_read(tmp_path: Path, protocol: int) -> None:
    assert is_same(read_pickle(save(tmp_path / "frame.pkl", pickle.dumps(FRAME, protocol))), FRAME)


def test_arrays_can_be_changed(tmp_path: Path) -> None:
    for protocol in (3, 5):
        found = read_pickle(save(tmp_path / "frame.pkl", pickle.dumps(FRAME, protocol)))
        found["a"][0] = 7.0


class Hostile:
    """Runs a program when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch hacked",)


class Persistent(pickle.Pickler):
    """Writes a reference to something outside the file."""

    def persistent_id(self, obj: Any) -> Any:
        return "outside" if obj == "x" else None


def persistent() -> bytes:
    out = io.BytesIO()
    Persistent(out).dump(["x"])
    return out.getvalue()


REFUSED = {
    "a function": (pickle.dumps(Hostile()), "posix.system"),
    "an object": (pickle.dumps(Path("x")), "pathlib"),
    "a builtin": (b"cbuiltins\neval\n(V1\ntR.", "builtins.eval"),
    "an attribute of numpy": (b"cnumpy\nfromfile\n(V/etc/passwd\ntR.", "numpy.fromfile"),
    "a part of an allowed name": (b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.", "numpy.ndarray.dumps"),
    "an array of objects": (pickle.dumps(np.array([None, 1], object)), "type 'O8'"),
    "an array of text": (pickle.dumps(np.array(["a"])), "type 'U1'"),
    "an array of records": (pickle.dumps(np.zeros(2, [("a", "f4")])), "type 'V4'"),
    "an array made by its class": (b"cnumpy\nndarray\n((I100\nI100\ntVf4\ntR.", "made by its class"),
    "a large array from nothing": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000\nI1000\ntVb\ntR.",
        "expected what numpy writes",
    ),
    "a state for a name": (b"cnumpy\ndtype\n(dVx\nVy\nsb.", "state given to a name"),
    "a number without its bytes": (
        pickle.dumps(np.float32(2.5), 3).replace(b"C\x04\x00\x00 @", b"C\x02\x00\x00"),
        "numpy scalar",
    ),
    "a reference": (persistent(), "reference to something outside"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_anything_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(tmp_path)
    raw, why = REFUSED[case]
    with pytest.raises(HarnessError, match=why) as caught:
        read_pickle(save(tmp_path / "frame.pkl", raw))
    assert caught.value.message.startswith(f"cannot read {tmp_path / 'frame.pkl'}: ")
    assert not (tmp_path / "hacked").exists()


def test_names_stay_what_they_are_after_a_hostile_file(tmp_path: Path) -> None:
    for raw, _ in REFUSED.values():
        with pytest.raises(HarnessError):
            read_pickle(save(tmp_path / "frame.pkl", raw))
    assert is_same(read_pickle(save(tmp_path / "frame.pkl", pickle.dumps(FRAME))), FRAME)


@given(data=st.binary(max_size=60))
def test_noise_is_refused_or_plain(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "noise.pkl"
    try:
        read_pickle(save(file, data))
    except HarnessError as error:
        assert str(file) in error.message


def test_every_shortened_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "frame.pkl"
    write_pickle(file, FRAME)
    whole = file.read_bytes()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(HarnessError, match="cannot read"):
            read_pickle(file)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_BYTES", 1000)
    with pytest.raises(HarnessError, match="more than 1000 bytes"):
        read_pickle(save(tmp_path / "frame.pkl", pickle.dumps(b"x" * 1000)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"cannot read .*none\.pkl: No such file or directory"):
        read_pickle(tmp_path / "none.pkl")


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "frame.pkl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write_pickle(tmp_path / "frame.pkl", FRAME)
