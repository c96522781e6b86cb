"""Movies, decoded again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from warpnoise.errors import MediaError
from warpnoise.media.movie import write_movie

COLOR = np.array([0.8, 0.4, 0.1])


def pictures(count: int, height: int, width: int, *, dtype: type = np.uint16, alpha: float | None = None) -> Iterator:
    """One colour, and brighter from picture to picture."""
    for number in range(count):
        full = np.iinfo(dtype).max
        color = [*(COLOR * (number + 1) / count), *([] if alpha is None else [alpha])]
        yield np.full((height, width, len(color)), np.round(np.array(color) * full), dtype)


def decode(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(
                format="rgb24",
                src_colorspace=Colorspace.ITU709,
                dst_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
            )
            for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize(("height", "width", "dtype"), [(16, 32, np.uint16), (33, 47, np.uint8), (1, 1, np.uint16)])
def test_colours_size_and_order(tmp_path: Path, height: int, width: int, dtype: type) -> None:
    path = tmp_path / "movie.mp4"
    assert write_movie(path, pictures(4, height, width, dtype=dtype), Fraction(24)) == 4
    frames = decode(path)
    assert [frame.shape for frame in frames] == [(height + height % 2, width + width % 2, 3)] * 4
    for number, frame in enumerate(frames):
        # 8-bit limited range: 219 levels, and 4:2:0 on a plain colour loses nothing
        np.testing.assert_allclose(frame.mean((0, 1)), COLOR * 255 * (number + 1) / 4, atol=3)


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(50, 100), (36, 100)])
def test_equal_pictures_make_equal_files(tmp_path: Path, height: int, width: int) -> None:
    first = np.random.default_rng(0).integers(0, 65536, (height, width, 3), np.uint16)
    moving = [np.roll(first, 2 * number, axis=1) for number in range(12)]
    files = set()
    for _ in range(40):
        write_movie(tmp_path / "movie.mp4", moving, Fraction(24))
        files.add((tmp_path / "movie.mp4").read_bytes())
    assert len(files) == 1


def test_tags_and_rate(tmp_path: Path) -> None:
    write_movie(tmp_path / "movie.mp4", pictures(3, 16, 16), Fraction(24000, 1001))
    with av.open(str(tmp_path / "movie.mp4")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (stream.average_rate, stream.frames) == (Fraction(24000, 1001), 3)
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert context.colorspace == Colorspace.ITU709
        assert context.color_primaries == ColorPrimaries.BT709
        assert context.color_trc == ColorTrc.IEC61966_2_1
        assert context.color_range == ColorRange.MPEG


def test_alpha_is_laid_over_black(tmp_path: Path) -> None:
    write_movie(tmp_path / "movie.mp4", pictures(1, 16, 16, alpha=0.5), Fraction(24))
    np.testing.assert_allclose(decode(tmp_path / "movie.mp4")[0].mean((0, 1)), COLOR * 127.5, atol=3)


def test_pictures_are_taken_one_at_a_time(tmp_path: Path) -> None:
    taken: list[int] = []

    def stream() -> Iterator:
        for number, picture in enumerate(pictures(5, 16, 16)):
            taken.append(number)
            yield picture
            if number == 2:
                raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_movie(tmp_path / "movie.mp4", stream(), Fraction(24))
    assert taken == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


def test_a_movie_that_cannot_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "movie.mp4"
    path.write_bytes(b"old")
    with pytest.raises(MediaError, match="at least one picture"):
        write_movie(path, [], Fraction(24))
    with pytest.raises(MediaError, match=r"expected pictures of 4 x 4 pixels.*got 4 x 6 for number 2"):
        write_movie(path, [*pictures(1, 4, 4), *pictures(1, 6, 4)], Fraction(24))
    with pytest.raises(ValueError, match="uint8 or uint16"):
        write_movie(path, [np.zeros((4, 4, 3), np.float32)], Fraction(24))
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["movie.mp4"]


@pytest.mark.skipif(os.name != "posix", reason="needs a limit of the size of files")
def test_a_file_that_cannot_grow(tmp_path: Path) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)  # Python ignores the signal that comes with it
    resource.setrlimit(resource.RLIMIT_FSIZE, (256, hard))
    try:
        with pytest.raises(MediaError, match="File too large"):
            write_movie(tmp_path / "movie.mp4", pictures(2, 16, 16), Fraction(24))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert list(tmp_path.iterdir()) == []
