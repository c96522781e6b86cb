"""Digests follow what a picture shows, and nothing else."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from warpnoise.errors import MediaError
from warpnoise.media.picture_digest import picture_digest
from warpnoise.media.png import write_png

from warpnoise_addon.backend.picture_transfer import SentPicture


def exr(path: Path, pixels: np.ndarray, parts: int = 1, **attributes: object) -> Path:
    fixed = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    made = [
        OpenEXR.Part(dict(fixed, **attributes), {"Z": pixels + index, "V": pixels}, f"part{index}")
        for index in range(parts)
    ]
    OpenEXR.File(made).write(str(path))
    return path


def with_text(png: bytes, text: bytes) -> bytes:
    """A PNG with a tEXt chunk after its IHDR."""
    body = b"tEXt" + text
    chunk = len(text).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return png[:33] + chunk + png[33:]


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).random((40, 24), dtype=np.float32)


@pytest.mark.parametrize("parts", [1, 3])
def test_metadata_of_an_exr_does_not_count(tmp_path, pixels, parts):
    plain = picture_digest(exr(tmp_path / "a.exr", pixels, parts))
    noted = exr(tmp_path / "b.exr", pixels, parts, Date="2026/11/24 08:03:53", File="/somewhere/long/scene.blend")
    assert picture_digest(noted) == plain
    assert noted.stat().st_size != (tmp_path / "a.exr").stat().st_size


@pytest.mark.parametrize("parts", [1, 3])
def test_every_value_of_an_exr_counts(tmp_path, pixels, parts):
    digests = {picture_digest(exr(tmp_path / "a.exr", pixels, parts))}
    for place in ((0, 0), (20, 7), (39, 23)):
        other = pixels.copy()
        other[place] += 0.25
        digests.add(picture_digest(exr(tmp_path / "b.exr", other, parts)))
    manifest = {"cryptomatte/1234567/manifest": '{"Cube":"a8fce865"}'}
    digests.add(picture_digest(exr(tmp_path / "b.exr", pixels, parts, **manifest)))
    digests.add(picture_digest(exr(tmp_path / "b.exr", pixels, parts, compression=OpenEXR.NO_COMPRESSION)))
    assert len(digests) == 6


def test_a_png(tmp_path):
    picture = np.random.default_rng(0).integers(0, 65536, (9, 7, 3), np.uint16)
    write_png(tmp_path / "a.png", picture)
    (tmp_path / "b.png").write_bytes(with_text((tmp_path / "a.png").read_bytes(), b"Date\x002026"))
    assert picture_digest(tmp_path / "a.png") == picture_digest(tmp_path / "b.png")
    picture[8, 6, 2] ^= 1
    write_png(tmp_path / "b.png", picture)
    assert picture_digest(tmp_path / "a.png") != picture_digest(tmp_path / "b.png")


def test_of_other_and_damaged_files_all_bytes_count(tmp_path, pixels):
    whole = exr(tmp_path / "a.exr", pixels).read_bytes()
    write_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint16))
    for start in (b"", b"text", b"v/1\x01", whole[:60], (tmp_path / "a.png").read_bytes()[:-5]):
        (tmp_path / "one").write_bytes(start + b"1")
        (tmp_path / "two").write_bytes(start + b"2")
        assert picture_digest(tmp_path / "one") != picture_digest(tmp_path / "two")


def test_a_missing_file(tmp_path):
    with pytest.raises(MediaError, match=r"none\.exr: No such file"):
        picture_digest(tmp_path / "none.exr")


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("compression", [OpenEXR.NO_COMPRESSION, OpenEXR.ZIP_COMPRESSION, OpenEXR.PIZ_COMPRESSION])
def test_what_the_addon_sends_of_an_exr_is_the_same_picture(tmp_path, pixels, parts, compression):
    path = exr(tmp_path / "a.exr", pixels, parts, Date="2026", File="/home/x/secret.blend", compression=compression)
    sent = b"".join(SentPicture(path).blocks())
    assert b"secret" in path.read_bytes() and b"secret" not in sent
    (tmp_path / "sent.exr").write_bytes(sent)
    assert picture_digest(tmp_path / "sent.exr") == picture_digest(path)
    before, after = (OpenEXR.File(str(file), separate_channels=True) for file in (path, tmp_path / "sent.exr"))
    for part, other in zip(before.parts, after.parts, strict=True):
        for name, channel in part.channels.items():
            np.testing.assert_array_equal(other.channels[name].pixels, channel.pixels)
