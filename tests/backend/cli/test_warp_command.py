"""``warpnoise warp``: the noise as files, of the shapes that the help text names."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file
from warpnoise.noise import make_noise

from .. import synthetic


def test_without_options_it_is_an_npz_in_the_job(warpnoise, job):
    done = warpnoise("warp", job.path)
    assert (done.status, done.out, done.err) == (0, f"{job.path}/noise.npz\n", "")
    with np.load(job.path / "noise.npz") as content:
        assert content["frames"].tolist() == [1, 2, 3, 4]
        assert content["noise"].shape == (4, 4, 32, 32) and content["noise"].dtype == np.float32
        first = make_noise("warped", (4, 32, 32), seed=job.settings.seed).frame().numpy()
        np.testing.assert_array_equal(content["noise"][0], first)


def test_the_name_decides_the_format_and_options_the_shape(warpnoise, job, tmp_path):
    path = tmp_path / "noise.safetensors"
    done = warpnoise("warp", job.path, "--output", path, "--width", 8, "--channels", 3, "--maps", 2)
    assert (done.status, done.out) == (0, f"{path}\n")
    assert load_file(path)["noise"].shape == (4, 2, 3, 8, 8)


def test_one_file_a_frame(warpnoise, job, tmp_path):
    done = warpnoise("warp", job.path, "--output", tmp_path / "noise", "--per-frame", "--format", "safetensors")
    assert done.status == 0
    assert done.out == f"{tmp_path}/noise/0001.safetensors\n{tmp_path}/noise/0004.safetensors\n"
    assert sorted(file.name for file in (tmp_path / "noise").iterdir()) == [f"000{n}.safetensors" for n in (1, 2, 3, 4)]


def test_seed_and_method(warpnoise, job, tmp_path):
    def noise(*options: object) -> np.ndarray:
        assert warpnoise("warp", job.path, "--output", tmp_path / "n.npz", *options).status == 0
        with np.load(tmp_path / "n.npz") as content:
            return content["noise"]

    assert not np.array_equal(noise("--seed", 1)[0], noise("--seed", 2)[0])
    fixed = noise("--noise", "fixed")
    np.testing.assert_array_equal(fixed[0], fixed[3])


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--channels", "0"], 2, "channels"),
        (["--noise", "purple"], 2, "purple"),
        (["--format", "gif"], 2, "gif"),
        (["--channels", "16385"], 2, "channels: expected less than or equal to 16384, got 16385"),
        (["--maps", "16385"], 2, "maps: expected less than or equal to 16384, got 16385"),
        (["--seed", "-1"], 2, "seed"),
        (["--seed", str(2**63)], 2, "seed: expected less than or equal to"),
        (["--width", "0"], 2, "width"),
        (["--width", "8", "--height", "4"], 2, "32 x 32 pixels and the noise would be 8 x 4"),
    ],
)
def test_options_that_cannot_be(warpnoise, job, options, status, says):
    done = warpnoise("warp", job.path, *options)
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith("error: ") and says in done.err
    assert not (job.path / "noise.npz").exists()


def test_an_exr_name_alone_is_refused_rather_than_written_as_npz(warpnoise, job, tmp_path):
    done = warpnoise("warp", job.path, "--output", tmp_path / "noise.exr")
    assert done.status == 2 and "--format exr" in done.err
    assert not list(tmp_path.glob("noise*"))


def test_colours_are_not_needed(warpnoise, job):
    for frame in job.frames:
        job.color(frame).unlink()
    assert warpnoise("warp", job.path).status == 0
    assert warpnoise("stylize", job.path).status == 3


@pytest.mark.parametrize(("options", "size"), [(["--width", 20], (12, 20)), (["--height", 6], (6, 10)), ([], (24, 40))])
def test_one_side_gives_the_other(warpnoise, tmp_path, options, size):
    job = synthetic.make_job(tmp_path / "job", frames=2, width=40, height=24)
    assert warpnoise("warp", job.path, *options).status == 0
    with np.load(job.path / "noise.npz") as content:
        assert content["noise"].shape == (2, 4, *size)
