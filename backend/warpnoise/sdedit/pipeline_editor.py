"""Models with a text prompt, of any family: diffusers' own pipeline, with our start and our noise in every step."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from PIL import Image

from warpnoise.errors import ModelError
from warpnoise.sdedit.autoencoder import decode, encode, latent_change, make_certain
from warpnoise.sdedit.controls import Controls
from warpnoise.sdedit.edit_settings import EditSettings, NoiseMaps
from warpnoise.sdedit.editor import Batch, Editor
from warpnoise.sdedit.embeddings import Embeddings
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.injection import InjectedScheduler, TimestepsAsked, TimingProbe, finite
from warpnoise.sdedit.ip_adapters import IpAdapters
from warpnoise.sdedit.key_attention import KeyFrame, KeyTokens
from warpnoise.sdedit.latent_noise import LatentNoise
from warpnoise.sdedit.loras import Loras
from warpnoise.sdedit.memory import DeviceMemory, place
from warpnoise.sdedit.memory_plan import MemoryOptions
from warpnoise.sdedit.padding import pad_to
from warpnoise.sdedit.parts import load_pipeline
from warpnoise.sdedit.prompts import PromptCache
from warpnoise.sdedit.pull import LATENT_STEPS, Change, Pull
from warpnoise.sdedit.quantize import what_is_quantized
from warpnoise.sdedit.reference_pictures import read_reference
from warpnoise.sdedit.schedule import Schedule


class PipelineEditor(Editor):
    """SDEdit (Meng et al. 2021) through a text-to-image pipeline of diffusers.

    The pipeline is called with ``latents``, the picture and noise mixed, and with an `InjectedScheduler` that begins
    there. A first call, which `TimingProbe` stops, asks for the timesteps: pipelines have sigmas of their own, and a
    shift for the picture's size.
    """

    def __init__(
        self,
        folder: ModelFolder,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        memory: MemoryOptions | None = None,
    ) -> None:
        if folder.family is None:
            raise ValueError(f"{folder.path} is a pixel model")
        self.family = folder.family
        super().__init__(folder, device, dtype, self.family.half)
        self._memory = DeviceMemory(folder, self.device, self.dtype, memory or MemoryOptions())
        self.pipeline = self._memory.load(lambda plan: load_pipeline(folder, self.device, self.dtype, plan))
        self._prompts = self.pipeline.encode_prompt = PromptCache(self.pipeline.encode_prompt)
        if hasattr(self.pipeline, "vae"):
            make_certain(self.pipeline.vae)
        self._noise = LatentNoise(folder, self.pipeline, self.device)
        own = folder, self.pipeline, self.device, self.dtype
        self._loras, self._embeddings = Loras(*own), Embeddings(*own)
        self._ip_adapters, self._controls = IpAdapters(*own), Controls(*own)
        self._tokens = KeyTokens()
        self._shown: tuple[KeyFrame, EditSettings] | None = None
        noise_scale = float(self.pipeline.config.get("noise_scale") or 1.0)
        self._schedule = Schedule(folder.scheduler, clip=False, noise_scale=noise_scale)

    @property
    def network(self) -> Any:
        """The network that denoises: a U-Net or a transformer."""
        return getattr(self.pipeline, self.folder.network_part)

    def save_memory(self, height: int, width: int) -> str:
        """As ``Editor.save_memory``: parts wait in main memory from now on, or layers if parts do already."""
        return self._memory.save(self.pipeline, f"one frame of {width} x {height} pixels")

    def take_warnings(self) -> tuple[str, ...]:
        return self._memory.take_warnings()

    def rest(self) -> None:
        self._tokens, self._shown = KeyTokens(), None
        super().rest()

    def _move(self, device: str | torch.device) -> None:
        if self._memory.plan.offload == "none":
            for part in self.pipeline.components.values():
                if isinstance(part, torch.nn.Module):
                    part.to(device)
            self._prompts.clear()
        elif device == "cpu":
            self.pipeline.maybe_free_model_hooks()

    def _own_warnings(self, settings: EditSettings) -> tuple[str, ...]:
        plan = self._memory.plan
        parts = {part: getattr(self.pipeline, part) for part in self.folder.weighted}
        return (
            *([what_is_quantized(parts)] if plan.quantize != "none" else ()),
            *([plan.sentence] if plan.sentence else ()),
        )

    def _encode(self, pictures: torch.Tensor) -> torch.Tensor:
        return self._coded(encode, pictures)

    def _decode(self, x: torch.Tensor) -> torch.Tensor:
        return self._coded(decode, x)

    def _denoise(self, batch: Batch) -> torch.Tensor:
        self._prompts.blends = batch.settings.blends
        size = 1 if self.family.one_at_a_time else len(batch.x_0)
        guides = {name: self._padded_as(guide, batch.x_0) for name, guide in batch.guides.items()}
        parts = []
        for begin in range(0, len(batch.x_0), size):
            part = slice(begin, begin + size)
            own = replace(
                batch,
                x_0=batch.x_0[part],
                noise=_part_of(batch.noise, part),
                on_step=_shifted(batch.on_step, begin // size, len(batch.x_0) // size),
            )
            call = self._call(batch.images[part], own.x_0, own.settings)
            seen = {name: guide[part] for name, guide in guides.items()}
            frames = self._padded_as(batch.frames[part], own.x_0)
            call.update(self._controls.call(own.settings.controls, seen, frames))
            change = None if batch.pull is None else self._change(batch.pull.part(part), own.x_0)
            with nullcontext() if batch.key is None else self._attending(batch.key, batch):
                parts.append(self._sample(own, call, change))
        return torch.cat(parts)

    def _coded(self, code: Callable[[Any, torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        """``encode`` or ``decode``, frame by frame or in tiles if memory is used up."""
        return self._memory.in_slices_if_needed(self.pipeline, lambda: code(self.pipeline, x), len(x))

    def _prepare(self, settings: EditSettings) -> None:
        """Load the adapters that the settings name. Raises ModelError: one is for another model."""
        loras, words = self._loras.apply(settings.loras), self._embeddings.apply(settings.embeddings)
        if loras or words:
            self._prompts.clear()
        other_parts = self._ip_adapters.apply(settings.ip_adapters) or words
        if self._controls.apply(settings.controls, again=other_parts):
            self.pipeline = self._controls.pipeline
            self.pipeline.encode_prompt = self._prompts
            if self._memory.plan.offload == "model":
                place(self.pipeline, self._memory.plan, self.device)  # its hooks know the pipeline's parts
        if settings.ip_adapters:
            self._ip_adapters.remember(self.pipeline)

    def _sample(
        self, batch: Batch, call: dict[str, Any], change: Change | None, change_steps: int = LATENT_STEPS
    ) -> torch.Tensor:
        """x_0 mixed with noise and denoised, (b, c, h, w) float32."""
        settings, x_0 = batch.settings, batch.x_0
        sampler = self.folder.sampler_for(settings)
        entries = self._schedule.entries(sampler)
        timing = self._ask_for_timing(entries, call, x_0)
        run = self._schedule.run(self.folder.steps_for(settings), settings.strength, settings.eta, sampler, timing)
        start = run.start(x_0, batch.noise(0))
        scheduler = InjectedScheduler(
            entries,
            run,
            self._laid_out(start),
            lambda index: self._laid_out(batch.noise(index)),
            change,
            change_steps,
            batch.on_step,
            batch.cancelled,
        )
        self._run(scheduler, call, start)
        if not scheduler.finished:
            raise ModelError(
                f"{type(self.pipeline).__name__} left out steps: this version of diffusers is not supported"
            )
        return finite(self._laid_back(scheduler.x, x_0))

    def _attending(self, key: KeyFrame, batch: Batch) -> AbstractContextManager[None]:
        """Within a ``with`` block, the network also sees the key frame.

        The network gets the key frame once, noised to the level of each step: because every prediction is redirected to
        the finished picture, x stays the mix of that picture and its noise.
        """
        settings = batch.settings
        if self._shown != (key, settings):  # the steps, and whether there is guidance, may change over the shot
            picture = pad_to(key.picture.to(batch.x_0), *self._padded(*key.picture.shape[-2:]))
            x_0 = encode(self.pipeline, picture * 2 - 1)
            noise = self._latents(key.noise, 0, settings, x_0)
            shown = replace(batch, x_0=x_0, noise=lambda _: noise, on_step=None)
            with self._tokens.recorded(self.network):
                self._sample(
                    shown,
                    self._call(picture, x_0, settings),
                    lambda predicted: self._laid_out(x_0) - predicted,
                    self.folder.steps_for(settings),
                )
            self._shown = key, settings
        return self._tokens.seen(self.network, key.strength)

    def _change(self, pull: Pull, like: torch.Tensor) -> Change:
        """The change of latents, in the scheduler's layout, that corresponds to ``pull``."""
        change = latent_change(self.pipeline, pull.padded(like, self.folder.vae_factor).change)
        return lambda latents: self._laid_out(self._coded(lambda _, x: change(x), self._laid_back(latents, like)))

    def _padded_as(self, pictures: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Pictures, (b, 3, h, w), padded to the size of the latents ``like``."""
        return pad_to(pictures.to(like), *(side * self.folder.vae_factor for side in like.shape[-2:]))

    def _ask_for_timing(self, entries: dict[str, Any], call: dict[str, Any], x_0: torch.Tensor) -> dict[str, Any]:
        """The arguments that the pipeline passes to ``set_timesteps`` for pictures of this size."""
        try:
            self._run(TimingProbe(entries), call, x_0)
        except TimestepsAsked as asked:
            return asked.timing
        raise ModelError(
            f"{type(self.pipeline).__name__} asks for no timesteps: this version of diffusers is not supported"
        )

    def _run(self, scheduler: TimingProbe | InjectedScheduler, call: dict[str, Any], x: torch.Tensor) -> None:
        """Call the pipeline with another scheduler, and x, (b, c, h, w), as its start."""
        own = self.pipeline.scheduler
        try:
            self.pipeline.scheduler = scheduler
            self.pipeline(**call, **self._start(x))
        finally:
            self.pipeline.scheduler = own

    def _start(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The keywords of the pipeline's call for the start."""
        layout = self.family.start_layout or self.family.layout
        latents = layout(self.pipeline, x).to(torch.float32 if self.family.float32_latents else self.dtype)
        return {"latents": latents, "image": latents} if self.family.start_as_image else {"latents": latents}

    def _call(self, images: torch.Tensor, x_0: torch.Tensor, settings: EditSettings) -> dict[str, Any]:
        """The keywords of the pipeline's call, except the start."""
        batch, (height, width) = len(images), (side * self.folder.vae_factor for side in x_0.shape[-2:])
        call: dict[str, Any] = {
            "prompt": [settings.prompt] * batch,
            "negative_prompt": [settings.negative_prompt] * batch,
            "num_inference_steps": self.folder.steps_for(settings),
            "height": height,
            "width": width,
            "max_area": height * width,
            self.family.guidance_keyword: self.folder.guidance_for(settings),
            "output_type": "latent",
            "return_dict": False,
            **self.family.options,
        }
        if self.family.reference_limit:
            call["image"] = [
                *(_picture(image) for image in images),
                *(read_reference(reference.path, "reference") for reference in settings.references),
            ]
        call.update(self._ip_adapters.call(settings.ip_adapters))
        taken = inspect.signature(type(self.pipeline).__call__).parameters
        return {key: value for key, value in call.items() if key in taken}

    def _laid_out(self, x: torch.Tensor) -> torch.Tensor:
        laid_out: torch.Tensor = self.family.layout(self.pipeline, x)
        return laid_out

    def _laid_back(self, x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """The inverse of ``_laid_out``. The layout of a range of numbers shows where each value went."""
        count = like[0].numel()
        numbers = torch.arange(count, dtype=torch.float64, device=x.device).view(1, *like.shape[1:])
        order = self._laid_out(numbers).flatten().long().argsort()
        return x.flatten(1)[:, order].view(like.shape)


def _picture(image: torch.Tensor) -> Image.Image:
    """(3, h, w) in [0, 1] as pipelines take reference pictures."""
    return Image.fromarray((image * 255).round().to("cpu", torch.uint8).permute(1, 2, 0).numpy())


def _part_of(noise: NoiseMaps, frames: slice) -> NoiseMaps:
    """The noise maps of some frames of a batch."""
    return lambda index: noise(index)[frames]


def _shifted(on_step: Callable[[int, int], None] | None, part: int, parts: int) -> Callable[[int, int], None] | None:
    """``on_step`` for one of several parts that run one after the other."""
    if on_step is None or parts == 1:
        return on_step
    return lambda step, steps: on_step(part * steps + step, parts * steps)
