"""The noise that a shot's motion carries, as ComfyUI's NOISE, as a LATENT, and for the steps of stochastic samplers."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from .shot import ChosenFrames


class ShotNoise:
    """ComfyUI's NOISE: an object with a ``seed`` and ``generate_noise(latent)``.

    A latent of images (frames, channels, h, w) has one map of noise for each frame of the shot. A latent of a video
    (1, channels, t, h, w) has fewer, as its autoencoder shortens time: latent i of t takes the noise of frame
    round(i (n - 1) / (t - 1)) of n, as Go-with-the-Flow (Burgert et al., CVPR 2025) does with 13 of 49.

    ``degradation``: 0 to 1, the share d of fresh noise z in ((1 - d) n + d z) / sqrt((1 - d)^2 + d^2), which gives
    video models that were trained on warped noise more freedom from the motion.
    """

    def __init__(self, chosen: ChosenFrames, seed: int, method: str = "warped", degradation: float = 0.0) -> None:
        self.seed = seed
        self._chosen, self._method, self._degradation = chosen, method, degradation
        self._batch_index: Sequence[int] | None = None

    def generate_noise(self, input_latent: dict[str, Any]) -> torch.Tensor:
        """Noise of the shape of ``input_latent["samples"]``, float32, on the CPU.

        Raises:
            ValueError: the latent is of another number of frames or another aspect ratio than the shot.
        """
        self._batch_index = input_latent.get("batch_index")
        return next(self.maps(input_latent["samples"].shape, 0, 1))

    def maps(self, shape: Sequence[int], first: int, count: int) -> Iterator[torch.Tensor]:
        """Independent noises that the same motion carries, from number ``first`` on. Raises as ``generate_noise``."""
        from warpnoise.motion import motions
        from warpnoise.noise import make_noise

        shot, frames = self._chosen.shot, self._frames_of(shape)
        grid = (shape[1], shape[-2], shape[-1])
        self._check_aspect(*grid[1:])
        noise = make_noise(self._method, grid, self.seed, "cpu", first + count)
        made: dict[int, torch.Tensor] = {}
        wanted = set(frames)
        for number, motion in motions(shot):
            if motion is not None:
                noise.advance(motion)
            if number in wanted:
                made[number] = torch.stack([noise.frame(first + k) for k in range(count)])
            if number >= max(wanted):
                break
        together = torch.stack([made[number] for number in frames], dim=1)  # (count, frames, channels, h, w)
        for index, one in enumerate(together):
            video = one.movedim(0, 1)[None] if len(shape) == 5 else one
            yield self._degraded(video, first + index)

    def _frames_of(self, shape: Sequence[int]) -> list[int]:
        frames = self._chosen.frames
        if len(shape) == 5:
            if shape[0] != 1 or shape[2] > len(frames):
                raise ValueError(
                    f"Warpnoise Noise: the latent is {shape[0]} video(s) of {shape[2]} latent frames; expected "
                    f"one, of at most the shot's {len(frames)} frames."
                )
            step = (len(frames) - 1) / max(shape[2] - 1, 1)
            return [frames[round(i * step)] for i in range(shape[2])]
        if len(shape) != 4:
            raise ValueError(f"Warpnoise Noise: expected a latent of 4 or 5 dimensions, got {tuple(shape)}.")
        index = self._batch_index
        if index is not None and len(index) == shape[0] and all(0 <= i < len(frames) for i in index):
            return [frames[i] for i in index]
        if shape[0] != len(frames):
            raise ValueError(
                f"Warpnoise Noise: the latent has {shape[0]} frames, the shot {len(frames)}. Choose the same frames in "
                "Warpnoise Shot."
            )
        return list(frames)

    def _check_aspect(self, height: int, width: int) -> None:
        scene = self._chosen.shot.scene
        if abs(scene.height * width - scene.width * height) > max(scene.height, scene.width):
            raise ValueError(
                f"Warpnoise Noise: frames are {scene.width} x {scene.height} pixels, the latent {width} x {height}, "
                "another aspect ratio. Encode the shot's frames whole, without cropping."
            )

    def _degraded(self, noise: torch.Tensor, index: int) -> torch.Tensor:
        d = self._degradation
        if d == 0:
            return noise
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + index) % 2**63)
        fresh = torch.randn(noise.shape, generator=generator)
        return ((1 - d) * noise + d * fresh) / ((1 - d) ** 2 + d**2) ** 0.5


class WarpnoiseNoise:
    """The shot's noise: NOISE for SamplerCustomAdvanced and AddNoise, LATENT for nodes that take noise as a latent.

    NOISE takes the shape of whatever latent it meets, so every model's format fits, videos' too. The LATENT has the
    channels and the size given here.
    """

    CATEGORY = "Warpnoise"
    FUNCTION = "make"
    RETURN_TYPES = ("NOISE", "LATENT")
    RETURN_NAMES = ("noise", "noise_latent")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "shot": ("WARPNOISE_SHOT",),
                "noise_seed": ("INT", {"default": 0, "min": 0, "max": 2**32 - 1, "control_after_generate": True}),
                "channels": (
                    "INT",
                    {"default": 4, "min": 1, "max": 256, "tooltip": "Channels of the LATENT: 4 for SD, 16 for FLUX"},
                ),
                "downscale": (
                    "INT",
                    {"default": 8, "min": 1, "max": 64, "tooltip": "Pixels on a side of a cell of the LATENT"},
                ),
                "degradation": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.01}),
            }
        }

    def make(
        self, shot: ChosenFrames, noise_seed: int, channels: int, downscale: int, degradation: float
    ) -> tuple[ShotNoise, dict[str, torch.Tensor]]:
        noise = ShotNoise(shot, noise_seed, degradation=degradation)
        scene = shot.shot.scene
        if downscale > min(scene.width, scene.height):
            raise ValueError(
                f"Warpnoise Noise: downscale is {downscale}; expected at most {min(scene.width, scene.height)}, as "
                f"frames are {scene.width} x {scene.height} pixels."
            )
        shape = (len(shot.frames), channels, scene.height // downscale, scene.width // downscale)
        return noise, {"samples": next(noise.maps(shape, 0, 1))}


class WarpnoiseSteps:
    """A sampler that draws the noise of its steps from the shot, too: for ancestral and SDE samplers.

    Without it only the first noise moves with the surfaces, and the steps' own noise flickers.
    """

    CATEGORY = "Warpnoise"
    FUNCTION = "wrap"
    RETURN_TYPES = ("SAMPLER",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"sampler": ("SAMPLER",), "noise": ("NOISE",)}}

    def wrap(self, sampler: Any, noise: ShotNoise) -> tuple[Any]:
        function = sampler.sampler_function
        if "noise_sampler" not in inspect.signature(function).parameters:
            name = getattr(function, "__name__", "this sampler")
            raise ValueError(f"Warpnoise Stochastic Steps: {name} draws no noise in its steps. Connect it directly.")
        if not isinstance(noise, ShotNoise):
            raise ValueError("Warpnoise Stochastic Steps: connect the noise of Warpnoise Noise.")

        @functools.wraps(function)
        def sample(model: Any, x: torch.Tensor, sigmas: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
            options["noise_sampler"] = _draws(noise, x, len(sigmas))
            return function(model, x, sigmas, *arguments, **options)

        wrapped = copy.copy(sampler)
        wrapped.sampler_function = sample
        return (wrapped,)


def _draws(noise: ShotNoise, x: torch.Tensor, block: int) -> Callable[[Any, Any], torch.Tensor]:
    """k-diffusion's noise sampler: each call gets the next map, from 1 on; 0 is the first noise. Maps are made a block
    at a time, since one pass over the shot's motion serves them all."""

    def endless() -> Iterator[torch.Tensor]:
        first = 1
        while True:
            yield from noise.maps(x.shape, first, block)
            first += block

    maps = endless()
    return lambda sigma, sigma_next: next(maps).to(x.device, x.dtype)
