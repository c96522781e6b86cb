from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
import safetensors.numpy
import torch
from warpnoise.errors import Cancelled, JobError, SettingsError
from warpnoise.job import Shot
from warpnoise.motion import motions
from warpnoise.noise import make_noise
from warpnoise.pipeline import WarpOptions, warp

MakeJob = Callable[..., Shot]


def load(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        return dict(safetensors.numpy.load_file(path))
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def expected(job: Shot, options: WarpOptions) -> np.ndarray:
    """(frames, maps, channels, height, width) by the noise's own interface."""
    shape = (options.channels, options.height or job.scene.height, options.width or job.scene.width)
    noise = make_noise(options.noise, shape, options.seed, "cpu", options.maps)
    frames = []
    for _, motion in motions(job):
        if motion is not None:
            noise.advance(motion)
        frames.append(np.stack([noise.frame(index).numpy() for index in range(options.maps)]))
    return np.stack(frames)


@pytest.mark.parametrize("format", ["npz", "safetensors"])
@pytest.mark.parametrize(
    "options", [{}, {"maps": 2, "channels": 3, "seed": 7}, {"width": 4, "height": 3, "noise": "chained"}]
)
def test_one_file(make_job: MakeJob, tmp_path: Path, format: Any, options: dict[str, Any]) -> None:  # noqa: A002
    job = make_job(frame_start=-1)
    chosen = WarpOptions(format=format, **options)
    told: list[tuple[int, int]] = []
    files = warp(job, tmp_path / "noise", chosen, progress=lambda done, total: told.append((done, total)))
    assert files == [tmp_path / f"noise.{format}"]
    assert told == [(1, 3), (2, 3), (3, 3)]
    arrays = load(files[0])
    assert set(arrays) == {"noise", "frames"}
    np.testing.assert_array_equal(arrays["frames"], [-1, 0, 1])
    reference = expected(job, chosen)
    np.testing.assert_array_equal(arrays["noise"], reference if chosen.maps > 1 else reference[:, 0])
    assert arrays["noise"].dtype == np.float32


@pytest.mark.parametrize("format", ["npz", "safetensors"])
@pytest.mark.parametrize("maps", [1, 2])
def test_a_file_for_each_frame(make_job: MakeJob, tmp_path: Path, format: Any, maps: int) -> None:  # noqa: A002
    job = make_job()
    chosen = WarpOptions(format=format, maps=maps, per_frame=True)
    files = warp(job, tmp_path / "noise", chosen)
    assert files == [tmp_path / "noise" / f"000{number}.{format}" for number in (1, 2, 3)]
    reference = expected(job, chosen)
    for number, (file, noise) in enumerate(zip(files, reference, strict=True), start=1):
        arrays = load(file)
        np.testing.assert_array_equal(arrays["frames"], [number])
        np.testing.assert_array_equal(arrays["noise"], noise if maps > 1 else noise[0])


def test_only_the_passes_are_needed(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job()
    for frame in job.frames:
        job.color(frame).unlink()
    assert warp(Shot.open(job.path, needs=["passes"]), tmp_path / "noise.npz")[0].is_file()


@pytest.mark.parametrize(("per_frame", "left"), [(False, []), (True, ["0001.npz"])])
def test_cancelling_leaves_nothing_half_written(
    make_job: MakeJob, tmp_path: Path, per_frame: bool, left: list[str]
) -> None:
    told: list[int] = []
    folder = tmp_path / "noise"
    with pytest.raises(Cancelled):
        warp(
            make_job(),
            folder if per_frame else folder / "all.npz",
            WarpOptions(per_frame=per_frame),
            progress=lambda done, total: told.append(done),
            cancelled=lambda: bool(told),
        )
    assert [path.name for path in folder.iterdir()] == left


def test_an_output_that_cannot_be_written(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JobError, match="Cannot write"):
        warp(make_job(), tmp_path / "file" / "noise.npz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels: expected greater than or equal to 1, got 0"),
        ({"maps": 0}, "maps: expected greater than or equal to 1, got 0"),
        ({"height": -1}, "height: expected greater than or equal to 1, got -1"),
        ({"format": "pickle"}, "format: expected 'npz', 'npy', 'safetensors' or 'exr', got 'pickle'"),
        ({"layout": "rows"}, "layout: expected 'planes', 'last', 'patches' or 'tokens', got 'rows'"),
        ({"layout": "last", "format": "exr"}, "EXR files are pictures"),
        ({"noise": "brown"}, "noise: there is no 'brown'; there are warped, "),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        WarpOptions(**options)


def test_a_size_of_another_shape(make_job: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"frames are 16 x 12 pixels and the noise would be 8 x 2\. Give"):
        warp(make_job(), tmp_path / "noise.npz", WarpOptions(width=8, height=2))


def test_some_frames_have_the_noise_of_the_whole_shot(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job()
    whole = load(warp(job, tmp_path / "whole")[0])["noise"]
    job.passes(3).unlink()  # nothing after the last wanted frame is read
    some = load(warp(job, tmp_path / "some", frames=[2])[0])
    np.testing.assert_array_equal(some["noise"], whole[1:2])
    np.testing.assert_array_equal(some["frames"], [2])


def test_layouts_are_those_of_diffusers(make_job: MakeJob, tmp_path: Path) -> None:
    from diffusers import Flux2KleinPipeline, FluxPipeline

    job = make_job()
    planes, *others = (
        load(warp(job, tmp_path / layout, WarpOptions(layout=layout, maps=2))[0])["noise"]
        for layout in ("planes", "last", "patches", "tokens")
    )
    last, patches, tokens = (torch.from_numpy(each).flatten(0, 1) for each in others)
    latents = torch.from_numpy(planes).flatten(0, 1)
    assert torch.equal(last.permute(0, 3, 1, 2), latents)
    assert torch.equal(patches, Flux2KleinPipeline._patchify_latents(latents))
    assert torch.equal(tokens, FluxPipeline._pack_latents(latents, *latents.shape))


def test_blocks_need_even_sides(make_job: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the noise is 4 x 3; blocks of 2 x 2 need even sides"):
        warp(make_job(), tmp_path / "noise", WarpOptions(layout="tokens", width=4, height=3))


def test_an_array_alone(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job()
    (file,) = warp(job, tmp_path / "noises", WarpOptions(format="npy", layout="last"))
    np.testing.assert_array_equal(np.load(file).transpose(0, 3, 1, 2), load(warp(job, tmp_path / "n")[0])["noise"])


@pytest.mark.parametrize(
    ("channels", "names"), [(3, ["R", "G", "B"]), (5, ["noise.00", "noise.01", "noise.02", "noise.03", "noise.04"])]
)
def test_pictures(make_job: MakeJob, tmp_path: Path, channels: int, names: list[str]) -> None:
    job = make_job()
    options = WarpOptions(format="exr", channels=channels, maps=2)
    files = warp(job, tmp_path / "noise", options)
    assert [file.name for file in files] == ["0001.exr", "0002.exr", "0003.exr"]
    for file, maps in zip(files, expected(job, options), strict=True):
        planes = OpenEXR.File(str(file), separate_channels=True).channels()
        assert set(planes) == {prefix + name for prefix in ("", "map1.") for name in names}
        for number, noise in enumerate(maps):
            for name, plane in zip(names, noise, strict=True):
                np.testing.assert_array_equal(planes[f"map{number}.{name}" if number else name].pixels, plane)
