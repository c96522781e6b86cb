"""16-bit PNG: exact round trips, widening, damaged files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from warpnoise.errors import MediaError
from warpnoise.media import png
from warpnoise.media.png import read_png, read_size, write_png


@pytest.mark.parametrize("channels", [3, 4])
def test_round_trip(tmp_path: Path, channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    write_png(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_png(tmp_path / "a.png"), picture)
    assert read_size(tmp_path / "a.png") == (7, 5)


def test_red_is_first_for_other_programs_too(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.full((1, 1, 3), [65535, 256, 0], np.uint16))
    assert cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)[0, 0].tolist() == [0, 256, 65535]  # B, G, R


def test_8_bit_and_grey_are_widened(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[[1, 2, 255]]], np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.array([[1000]], np.uint16))
    assert read_png(tmp_path / "a.png").tolist() == [[[65535, 514, 257]]]
    assert read_png(tmp_path / "b.png").tolist() == [[[1000, 1000, 1000]]]


def test_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(MediaError, match=r"Cannot read .*No such file"):
        read_png(path)
    with pytest.raises(MediaError, match="Cannot read"):
        read_size(path)
    path.write_bytes(b"GIF89a")
    for read in (read_png, read_size):
        with pytest.raises(MediaError, match="is not a PNG file"):
            read(path)
    write_png(path, np.random.default_rng(0).integers(0, 65536, (32, 32, 3), dtype=np.uint16))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match="is cut off"):
        read_png(path)
    path.write_bytes(whole[:200] + bytes(100) + whole[300:])
    with pytest.raises(MediaError, match="is damaged"):
        read_png(path)


def with_header(path: Path, width: int, height: int, depth: int = 16, kind: int = 2, pixels: int = 10_000) -> None:
    """A PNG of that header with ``pixels`` black bytes, well compressed."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(pixels))) + chunk(b"IEND", b""))


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_decode", None)  # it would be called
    with_header(tmp_path / "a.png", 65536, 65536)
    with pytest.raises(MediaError, match="expected at most 268435456 in all"):
        read_png(tmp_path / "a.png")


@pytest.mark.parametrize(
    "header", [(0, 4, 16, 2), (4, 2**31, 16, 2), (4, 4, 16, 3), (4, 4, 7, 2), (4, 4, 16, 5), (4, 4, 4, 6)]
)
def test_headers_that_no_png_has(tmp_path: Path, header: tuple[int, int, int, int]) -> None:
    with_header(tmp_path / "a.png", *header)
    for read in (read_png, read_size):
        with pytest.raises(MediaError, match="its header is not a PNG's"):
            read(tmp_path / "a.png")


def test_data_after_the_pixels_is_bounded(tmp_path: Path) -> None:
    with_header(tmp_path / "a.png", 4, 4)
    with (tmp_path / "a.png").open("ab") as file:
        file.truncate(2**25)
    with pytest.raises(MediaError, match="expected at most"):
        read_png(tmp_path / "a.png")


@pytest.mark.parametrize(
    "picture", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16), np.zeros((0, 2, 3), np.uint16)]
)
def test_only_such_pictures_are_written(tmp_path: Path, picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        write_png(tmp_path / "a.png", picture)


def test_lengths_are_not_believed(tmp_path: Path) -> None:
    """A decoder takes memory for a chunk of 4 GB that is not there, and for pixels that few bytes cannot hold."""
    path = tmp_path / "picture.png"
    write_png(path, np.zeros((4, 4, 3), np.uint16))
    data = path.read_bytes()
    path.write_bytes(data[:33] + b"\xff\xff\x00\x00IDAT" + data[41:])
    with pytest.raises(MediaError, match="cut off"):
        read_png(path)
    header = b"IHDR" + struct.pack(">IIBBBBB", 16000, 16000, 16, 6, 0, 0, 0)
    path.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    with pytest.raises(MediaError, match="cannot hold its pixels"):
        read_png(path)


@pytest.mark.slow
def test_the_most_compressible_data_is_read(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    picture = np.zeros((2000, 2000, 4), np.uint16)
    write_png(path, picture)
    assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert (read_png(path) == picture).all()
