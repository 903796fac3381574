"""LZMA-compressed pickles of plain data, as LEAD's loader opens them; and a reader that runs nothing of what it reads.

Plain means None, bool, int, float, str, bytes, list, tuple, dict with keys of these, and numeric numpy arrays and
scalars. The reader accepts what any numpy version from 1.x on writes of that, and refuses every other name in a file.
"""

from __future__ import annotations

import io
import lzma
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError

# The newest protocol without frames, whose lengths would have to be mended for the name below.
PROTOCOL = 3
# numpy 2 calls its module `_core`, which numpy 1 does not have; both know the old name.
NEW_NAME, OLD_NAME = b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"
# LZMA's own default takes three times as long and saves 4 percent; a dictionary larger than a frame costs more than
# the compression itself.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 2, "dict_size": 2**17}]
# A file of some hundred bytes can ask for terabytes.
MOST_BYTES = 64 * 2**20
_DTYPE = re.compile(r"[|<>=]?(?:[iu][1248]|f[248]|b1|\?)")


def write_pickle(file: Path, data: Any) -> None:
    """Write plain data to a new file. Whoever is interrupted leaves a part of it.

    Raises:
        OSError: disk full, folder missing and so on.
    """
    raw = pickle.dumps(data, PROTOCOL).replace(NEW_NAME, OLD_NAME)
    file.write_bytes(lzma.compress(raw, filters=FILTERS))


def read_pickle(file: Path) -> Any:
    """Read plain data; nothing in the file is ever called.

    Raises:
        HarnessError: the file cannot be read, is no LZMA pickle, is too large, or holds anything but plain data.
    """
    try:
        with lzma.open(file, "rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise HarnessError(f"cannot read {file}: {reason}; expected an LZMA-compressed pickle") from error
    if len(raw) > MOST_BYTES:
        raise HarnessError(f"cannot read {file}: found more than {MOST_BYTES} bytes, expected one frame")
    try:
        return _PlainUnpickler(io.BytesIO(raw)).load()
    except HarnessError as error:
        raise HarnessError(f"cannot read {file}: {error.message}") from None
    except Exception as error:  # what a broken or hostile pickle raises is anybody's guess
        raise HarnessError(f"cannot read {file}: {type(error).__name__}: {error}; expected a pickle") from error


class _Name:
    """Stands for a name in a file: it can be called there as numpy's own pickles call it, and never be changed."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *values: Any) -> Any:
        return self._make(*values)

    def __setstate__(self, state: object) -> None:
        raise HarnessError("found a state given to a name, expected plain data")


def _refuse(*_values: object) -> NoReturn:
    raise HarnessError("found an array made by its class, expected what numpy writes")


_NDARRAY = _Name(_refuse)


def _reconstruct(kind: object, shape: object, code: object) -> npt.NDArray[Any]:
    """Make the empty array that numpy's own pickles fill in afterwards."""
    if kind is not _NDARRAY or shape != (0,) or code not in (b"b", "b"):
        raise HarnessError(f"found an array begun as {str(shape)[:40]}, expected what numpy writes")
    return np.ndarray((0,), "b")


def _dtype(code: object, *_flags: object) -> np.dtype[Any]:
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        raise HarnessError(f"found an array of type {str(code)[:40]!r}, expected numbers")
    return np.dtype(code, copy=True)


def _scalar(kind: object, data: object) -> Any:
    if not isinstance(kind, np.dtype) or not isinstance(data, bytes) or len(data) != kind.itemsize:
        raise HarnessError("found a number without its bytes, expected a numpy scalar")
    return np.frombuffer(data, kind)[0]


def _from_buffer(buffer: object, kind: object, shape: Any, order: object) -> npt.NDArray[Any]:
    if not isinstance(buffer, bytes | bytearray) or not isinstance(kind, np.dtype):
        raise HarnessError("found an array without its bytes, expected what numpy writes")
    return np.frombuffer(buffer, kind).reshape(shape, order="F" if order == "F" else "C").copy()


def _latin1(text: object, encoding: object) -> bytes:
    """Return bytes as protocols before 3 spell them."""
    if not isinstance(text, str) or encoding != "latin1":
        raise HarnessError(f"found text in {str(encoding)[:40]!r}, expected latin1")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], _Name] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Name(_dtype),
    ("_codecs", "encode"): _Name(_latin1),
    ("__builtin__", "bytes"): _Name(lambda: b""),
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Name(_reconstruct) for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Name(_scalar) for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Name(_from_buffer) for core in ("core", "_core")},
}


class _PlainUnpickler(pickle.Unpickler):
    """Knows the names above and no others."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name in a file."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise HarnessError(f"found {module[:60]}.{name[:60]}, expected plain containers and arrays") from None

    def persistent_load(self, reference: Any) -> Any:
        """Refuse references to things outside the file."""
        raise HarnessError("found a reference to something outside, expected plain data")
