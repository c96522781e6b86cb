"""Existing frames: which file is which frame, what is taken, and what is refused with a sentence."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from PIL import Image
from warpnoise.errors import MediaError
from warpnoise.ingest import serve
from warpnoise.ingest.display_referred import read_header, read_picture
from warpnoise.ingest.service import LOSSLESS, check_exr
from warpnoise.media.numbered_files import numbered_files

WIDTH, HEIGHT = 16, 8


def picture(frame: int = 1) -> Image.Image:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return Image.fromarray(np.stack([x * 9 + frame, y * 20, x + y], -1).astype(np.uint8))


def ask(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    answers = io.StringIO()
    serve([json.dumps(request) for request in requests], answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def check(folder: Path, frames: int = 2) -> dict[str, Any]:
    color = {"folder": str(folder), "frames": list(range(1, frames + 1))}
    return {"check": {"size": [WIDTH, HEIGHT], "color": color, "passes": None}}


@pytest.mark.parametrize(
    ("mode", "suffix", "alpha"),
    [
        ("RGB", "png", False),
        ("RGBA", "png", True),
        ("P", "png", False),
        ("L", "png", False),
        ("LA", "png", True),
        ("1", "png", False),
        ("RGB", "JPG", False),
        ("RGB", "tif", False),
        ("RGBA", "tiff", True),
        ("RGB", "webp", False),
        ("RGBA", "webp", True),
    ],
)
def test_usual_formats(tmp_path: Path, mode: str, suffix: str, alpha: bool) -> None:
    path = tmp_path / f"r_0001.{suffix}"
    source = picture().convert(mode)
    if mode == "RGBA":
        source.putalpha(picture().convert("L"))
    source.save(path, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    header = read_header(path)
    assert (header.size, header.alpha, header.sixteen_bits) == ((WIDTH, HEIGHT), alpha, False)
    expected = np.asarray(source.convert("RGBA"), int) * 257
    got = read_picture(path, alpha=True).astype(int)
    assert got.shape == (HEIGHT, WIDTH, 4)
    np.testing.assert_allclose(got, expected, atol=257 * 24 if suffix == "JPG" else 0)


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    picture().convert("P").save(tmp_path / "1.png", transparency=0)
    assert read_header(tmp_path / "1.png").alpha


def test_associated_alpha_of_8_bit_tiff_is_divided_out(tmp_path: Path) -> None:
    straight = np.full((HEIGHT, WIDTH, 4), (200, 100, 40, 128), np.uint8)
    multiplied = straight.copy()
    multiplied[..., :3] = straight[..., :3] * (128 / 255)
    Image.fromarray(multiplied).save(tmp_path / "1.tif")
    content = (tmp_path / "1.tif").read_bytes()  # Pillow writes ExtraSamples (tag 338, one short): 2, not associated
    assert content.count(b"\x52\x01\x03\x00\x01\x00\x00\x00\x02") == 1
    content = content.replace(b"\x52\x01\x03\x00\x01\x00\x00\x00\x02", b"\x52\x01\x03\x00\x01\x00\x00\x00\x01")
    (tmp_path / "1.tif").write_bytes(content)
    assert read_header(tmp_path / "1.tif").associated
    got = read_picture(tmp_path / "1.tif", alpha=True).astype(int)
    np.testing.assert_allclose(got, straight.astype(int) * 257, atol=2 * 257)


def test_cmyk_is_refused(tmp_path: Path) -> None:
    for frame in (1, 2):
        picture(frame).convert("CMYK").save(tmp_path / f"r_{frame:04d}.jpg")
    (answer,) = ask(check(tmp_path))
    assert answer["error"].endswith(
        "r_0001.jpg' is a CMYK picture, whose colours on a screen are not defined. Convert the frames to RGB."
    )


def test_alpha_of_a_later_picture_counts(tmp_path: Path) -> None:
    picture(1).save(tmp_path / "a1.png")
    picture(2).convert("RGBA").save(tmp_path / "a2.png")
    target = tmp_path / "out" / "0001.png"
    found, written = ask(check(tmp_path), {"color": 1, "target": str(target), "alpha": True})
    assert (found, written) == ({"alpha": True, "scene_linear": False}, {"scene_linear": None})
    assert read_picture(target, alpha=True).shape == (HEIGHT, WIDTH, 4)
    assert read_header(target).sixteen_bits


def test_cut_off_picture(tmp_path: Path) -> None:
    picture().save(tmp_path / "1.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:-60])
    with pytest.raises(MediaError, match=r"1.png' is not a picture that can be read, or it is cut off"):
        read_picture(tmp_path / "1.png", alpha=False)


def test_another_size(tmp_path: Path) -> None:
    picture().resize((4, 4)).save(tmp_path / "1.png")
    assert "is 4 x 4 pixels, the scene renders 16 x 8" in ask(check(tmp_path, 1))[0]["error"]


def test_numbers_of_files(tmp_path: Path) -> None:
    for name in ("shot2_v003-0001.png", "shot2_v003-0002.PNG", "-0001.png", "notes.txt", ".0001.png", "thumb.png"):
        (tmp_path / name).touch()
    found = numbered_files(tmp_path, (".png",), range(-1, 3, 3))
    assert {frame: path.name for frame, path in found.items()} == {-1: "-0001.png", 2: "shot2_v003-0002.PNG"}
    with pytest.raises(MediaError, match=r"no file for 3 of 4 frames: 3, 4, 5. Expected"):
        numbered_files(tmp_path, (".png",), range(2, 6))
    (tmp_path / "other_0001.png").touch()
    with pytest.raises(MediaError, match=r"two files for frame 1"):
        numbered_files(tmp_path, (".png",), range(1, 3))


def write_passes(path: Path, codec: str = "ZIP", dtype: type = np.float32, without: str = "") -> Path:
    names = ["Depth.Z", *(f"Vector.{c}" for c in "XYZW"), *(f"CryptoObject00.{c}" for c in "rgba")]
    generator = np.random.default_rng(0)
    planes = {
        f"View Layer.{name}": generator.normal(size=(64, 64)).astype(dtype)
        for name in names
        if not (without and name.startswith(without))
    }
    header = {"compression": getattr(OpenEXR, f"{codec}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, planes) as file:
        file.write(str(path))
    return path


CODECS = sorted(name.removesuffix("_COMPRESSION") for name in dir(OpenEXR) if name.endswith("_COMPRESSION"))


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_that_change_passes_are_refused(tmp_path: Path, codec: str) -> None:
    """Whatever this OpenEXR can write: a codec is taken if and only if it keeps every bit of every kind of channel."""
    path = write_passes(tmp_path / "1.exr", codec)
    whole = OpenEXR.File(str(write_passes(tmp_path / "2.exr", "NO")), separate_channels=True).channels()
    same = {
        name: np.array_equal(channel.pixels.view(np.uint32), whole[name].pixels.view(np.uint32))
        for name, channel in OpenEXR.File(str(path), separate_channels=True).channels().items()
    }
    if codec in LOSSLESS:
        assert all(same.values())
        assert check_exr(path, passes=True) == (64, 64)
    else:
        with pytest.raises(MediaError, match=rf"is compressed with {codec}, which changes motion vectors"):
            check_exr(path, passes=True)


def test_lossy_codecs_destroy_what_a_job_needs(tmp_path: Path) -> None:
    whole = OpenEXR.File(str(write_passes(tmp_path / "2.exr", "NO")), separate_channels=True).channels()
    for codec, name in (("PXR24", "View Layer.CryptoObject00.r"), ("DWAA", "View Layer.Vector.Y")):
        path = write_passes(tmp_path / "1.exr", codec)
        got = OpenEXR.File(str(path), separate_channels=True).channels()[name].pixels
        assert not np.array_equal(got, whole[name].pixels)


def test_half_precision_is_refused(tmp_path: Path) -> None:
    write_passes(tmp_path / "1.exr", dtype=np.float16)
    request = {"check": {"size": [64, 64], "color": None, "passes": {"folder": str(tmp_path), "frames": [1]}}}
    assert "float16 values, expected float32. Set Color Depth to Float (Full)" in ask(request)[0]["error"]


@pytest.mark.parametrize("name", ["Depth", "Vector", "CryptoObject00"])
def test_missing_pass(tmp_path: Path, name: str) -> None:
    path = write_passes(tmp_path / "1.exr", without=name)
    with pytest.raises(MediaError, match=rf"1.exr' lacks the pass {name} .* has .*turn on View Layer > Passes"):
        check_exr(path, passes=True)


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_not_an_exr_file(tmp_path: Path, content: bytes | None) -> None:
    path = write_passes(tmp_path / "1.exr")
    path.write_bytes(path.read_bytes()[:200] if content is None else content)
    with pytest.raises(MediaError, match=r"1.exr' is (empty|not an EXR file|cut off or damaged).*Render or copy"):
        check_exr(path, passes=True)


def test_passes_are_copied_as_they_are(tmp_path: Path) -> None:
    source = write_passes(tmp_path / "r_0001.exr")
    passes = {"folder": str(tmp_path), "frames": [1]}
    target = tmp_path / "copy.exr"
    request = {"check": {"size": [64, 64], "color": None, "passes": passes}}
    assert ask(request, {"passes": 1, "target": str(target)})[1] == {}
    assert target.read_bytes() == source.read_bytes()
    source.write_bytes(source.read_bytes()[:-400])
    assert "r_0001.exr' is cut off or damaged" in ask(request, {"passes": 1, "target": str(target)})[-1]["error"]
