"""Models with a text prompt, of any family: diffusers' own pipeline, with our start and our noise in every step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from PIL import Image

from warpnoise.errors import ModelError
from warpnoise.sdedit.autoencoder import decode, encode, latent_change, make_certain
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.controls import Controls
from warpnoise.sdedit.device import free_unused, pick_device, pick_dtype
from warpnoise.sdedit.editor import EditSettings, NoiseMaps
from warpnoise.sdedit.embeddings import Embeddings
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.injection import InjectedScheduler, TimestepsAsked, TimingProbe
from warpnoise.sdedit.ip_adapters import IpAdapters
from warpnoise.sdedit.key_attention import KeyFrame, KeyTokens
from warpnoise.sdedit.latent_noise import latent_noise
from warpnoise.sdedit.loras import Loras
from warpnoise.sdedit.memory import DeviceMemory, place
from warpnoise.sdedit.memory_plan import MemoryOptions
from warpnoise.sdedit.padding import pad_to, round_up
from warpnoise.sdedit.parts import load_pipeline
from warpnoise.sdedit.prompts import PromptCache, check_length
from warpnoise.sdedit.pull import LATENT_STEPS, Change, Pull
from warpnoise.sdedit.quantize import what_is_quantized
from warpnoise.sdedit.reference_pictures import read_reference
from warpnoise.sdedit.sample import finite
from warpnoise.sdedit.schedule import Schedule
from warpnoise.sdedit.texture import maps_read, textured

_CHOSEN = MemoryOptions()


class PipelineEditor:
    """SDEdit (Meng et al. 2021) through a text-to-image pipeline of diffusers.

    The pipeline is called with ``latents``, the picture and noise mixed, and with an `InjectedScheduler` that begins
    there. A first call, which `TimingProbe` stops, asks for the timesteps: pipelines have sigmas of their own, and a
    shift for the picture's size.
    """

    styles: tuple[str, ...] = ()
    takes_prompt = True
    takes_geometry = False

    def __init__(
        self,
        folder: ModelFolder,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        memory: MemoryOptions = _CHOSEN,
    ) -> None:
        if folder.family is None:
            raise ValueError(f"{folder.path} is a pixel model")
        self.folder = folder
        self.family = folder.family
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device, self.family.half)
        self._memory = DeviceMemory(folder, self.device, self.dtype, memory)
        self.pipeline = self._memory.load(lambda plan: load_pipeline(folder, self.device, self.dtype, plan))
        self._prompts = self.pipeline.encode_prompt = PromptCache(self.pipeline.encode_prompt)
        if hasattr(self.pipeline, "vae"):
            make_certain(self.pipeline.vae)
        self._noise = latent_noise(folder, self.pipeline, self.device)
        self._loras = Loras(self.pipeline)
        self._embeddings = Embeddings(folder, self.pipeline)
        self._ip_adapters = IpAdapters(folder, self.pipeline, self.device, self.dtype)
        self._references: dict[str, Image.Image] = {}
        self._controls = Controls(folder, self.pipeline, self.device, self.dtype)
        self._tokens, self._shown = KeyTokens(), cast("tuple[KeyFrame, EditSettings] | None", None)
        noise_scale = float(self.pipeline.config.get("noise_scale") or 1.0)
        self._schedule = Schedule(folder.scheduler, clip=False, noise_scale=noise_scale)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def digest(self) -> str:
        return self.folder.digest

    def cell(self, settings: EditSettings) -> int:
        return self.folder.size_multiple if self._noise.is_fine(settings) else 1

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
        if self._memory.plan.offload == "none":
            self._move("cpu")
        else:
            self.pipeline.maybe_free_model_hooks()
        self._tokens, self._shown = KeyTokens(), None
        free_unused(self.device)

    def wake(self) -> None:
        if self._memory.plan.offload == "none":
            self._move(self.device)

    def _move(self, device: str | torch.device) -> None:
        for part in self.pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.to(device)
        self._prompts.clear()

    def check(
        self,
        settings: EditSettings,
        *,
        measuring: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[str, ...]:
        """Also: whether the prompts are longer than what the text encoders read."""
        warnings = check_settings(self.folder, settings)
        self._prepare(settings)
        if self._memory.plan.quantize != "none":
            warnings += (what_is_quantized(self.network),)
        if self._memory.plan.sentence:
            warnings += (self._memory.plan.sentence,)
        longest = self._parameters().get("max_sequence_length")
        warnings += check_length(self.pipeline, longest.default if longest else None, settings)
        return warnings + self._noise.warnings(settings, measuring, cancelled)

    def noise_shape(self, height: int, width: int, settings: EditSettings) -> tuple[int, int, int]:
        return self._noise.shape(height, width, settings)

    def noise_maps(self, settings: EditSettings) -> int:
        return maps_read(self.folder, settings)

    @torch.no_grad()  # not inference_mode: the caller's noise is made in here, and may be kept
    def edit(
        self,
        images: torch.Tensor,
        noise: NoiseMaps,
        settings: EditSettings,
        *,
        geometry: torch.Tensor | None = None,
        guides: Mapping[str, torch.Tensor] | None = None,
        pull: Pull | None = None,
        key: KeyFrame | None = None,
        on_step: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> torch.Tensor:
        """As ``Editor.edit``. Images are padded by reflection to whole tokens of the network, noise likewise."""
        check_settings(self.folder, settings)
        self._prepare(settings)
        frames = images.to(self.device, torch.float32)
        images = textured(frames, noise, self.folder, settings)
        height, width = images.shape[-2:]
        padded = [round_up(size, self.folder.size_multiple) for size in (height, width)]
        shown = {name: pad_to(guide.to(frames), *padded) for name, guide in (guides or {}).items()}
        x_0 = self._coded(encode, pad_to(images * 2 - 1, *padded))

        def maps(index: int, /) -> torch.Tensor:
            number = self.folder.shot_map(settings, index)
            given = noise(number).to(self.device, torch.float32)
            return pad_to(self._noise.latents(given, number, settings), *x_0.shape[-2:])

        self._prompts.blends = settings.blends
        size = 1 if self.family.one_at_a_time else len(images)
        parts = []
        for begin in range(0, len(images), size):
            part = slice(begin, begin + size)
            call = self._call(images[part], x_0[part], settings)
            seen = {name: guide[part] for name, guide in shown.items()}
            call.update(self._controls.call(settings.controls, seen, pad_to(frames[part], *padded)))
            steps = _shifted(on_step, begin // size, len(images) // size)
            change = None if pull is None else self._change(pull.part(part), images[part], x_0[part])
            with nullcontext() if key is None else self._attending(key, settings, cancelled):
                parts.append(
                    self._sample(
                        x_0[part], lambda k, part=part: maps(k)[part], call, settings, change, steps, cancelled
                    )
                )
        x = torch.cat(parts)
        return (finite(self._coded(decode, x))[..., :height, :width] / 2 + 0.5).clamp(0, 1)

    def _coded(self, code: Callable[[Any, torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        """``encode`` or ``decode``, frame by frame or in tiles where memory is used up."""
        return self._memory.in_slices_if_needed(self.pipeline, lambda: code(self.pipeline, x), len(x))

    def _prepare(self, settings: EditSettings) -> None:
        """Load what the settings name beside the model. Raises ModelError for what is not for this model."""
        other_text = [self._loras.apply(settings.loras), self._embeddings.apply(settings.embeddings)]
        if any(other_text):
            self._prompts.clear()
        other_parts = [self._ip_adapters.apply(settings.ip_adapters), other_text[1]]
        if self._controls.apply(settings.controls, again=any(other_parts)):
            self.pipeline = self._controls.pipeline
            self.pipeline.encode_prompt = self._prompts
            if self._memory.plan.offload == "model":
                place(self.pipeline, self._memory.plan, self.device)  # its hooks know the pipeline's parts
        if settings.ip_adapters:
            self._ip_adapters.remember(self.pipeline)
        paths = [reference.path for reference in settings.references]
        if paths != list(self._references):
            self._references = {path: read_reference(path, "reference") for path in paths}

    def _sample(
        self,
        x_0: torch.Tensor,
        maps: NoiseMaps,
        call: dict[str, Any],
        settings: EditSettings,
        change: Change | None,
        on_step: Callable[[int, int], None] | None,
        cancelled: Callable[[], bool] | None,
        change_steps: int = LATENT_STEPS,
    ) -> torch.Tensor:
        """x_0 mixed with noise and denoised, (b, c, h, w) float32."""
        pipeline, sampler = self.pipeline, self.folder.sampler_for(settings)
        entries = self._schedule.entries(sampler)
        steps = self.folder.steps_for(settings)
        timing = self._ask_for_timing(entries, call, x_0)
        run = self._schedule.run(steps, settings.strength, settings.eta, sampler, timing)
        start = run.start(x_0, maps(0))

        def laid_out(index: int) -> torch.Tensor:
            return self._laid_out(maps(index))

        scheduler = InjectedScheduler(
            entries, run, self._laid_out(start), laid_out, change, change_steps, on_step, cancelled
        )
        own = pipeline.scheduler
        try:
            pipeline.scheduler = scheduler
            pipeline(**call, **self._start(start))
        finally:
            pipeline.scheduler = own
        if not scheduler.finished:
            raise ModelError(f"{type(pipeline).__name__} left out steps: this version of diffusers is not supported")
        return finite(self._laid_back(scheduler.x, x_0))

    def _attending(
        self, key: KeyFrame, settings: EditSettings, cancelled: Callable[[], bool] | None
    ) -> AbstractContextManager[None]:
        """Within it the network sees the key frame, too. It is shown the key frame once, noised as at each step: if
        every prediction is redirected to the finished picture, x stays that picture and its noise, mixed."""
        if self._shown != (key, settings):  # the steps, and whether there is guidance, may change over the shot
            height, width = (round_up(side, self.folder.size_multiple) for side in key.picture.shape[-2:])
            picture = pad_to(key.picture.to(self.device, torch.float32), height, width)
            x_0 = encode(self.pipeline, picture * 2 - 1)
            noise = self._noise.latents(key.noise.to(self.device, torch.float32), 0, settings)
            noise = pad_to(noise, *x_0.shape[-2:])
            call = self._call(picture, x_0, settings)
            with self._tokens.recorded(self.network):
                self._sample(
                    x_0,
                    lambda _: noise,
                    call,
                    settings,
                    lambda predicted: self._laid_out(x_0) - predicted,
                    None,
                    cancelled,
                    change_steps=self.folder.steps_for(settings),
                )
            self._shown = key, settings
        return self._tokens.seen(self.network, key.strength)

    def _change(self, pull: Pull, images: torch.Tensor, like: torch.Tensor) -> Change:
        """What draws latents, as the scheduler sees them, as ``pull`` draws pictures."""
        height, width = (side * self.folder.vae_factor for side in like.shape[-2:])
        change = latent_change(self.pipeline, pull.padded(pad_to(images, height, width)).change)
        return lambda latents: self._laid_out(self._coded(lambda _, x: change(x), self._laid_back(latents, like)))

    def _ask_for_timing(self, entries: dict[str, Any], call: dict[str, Any], x_0: torch.Tensor) -> dict[str, Any]:
        """What the pipeline passes to ``set_timesteps`` for pictures of this size."""
        own = self.pipeline.scheduler
        try:
            self.pipeline.scheduler = TimingProbe(entries)
            self.pipeline(**call, **self._start(x_0))
        except TimestepsAsked as asked:
            return asked.timing
        finally:
            self.pipeline.scheduler = own
        raise ModelError(
            f"{type(self.pipeline).__name__} asks for no timesteps: this version of diffusers is not supported"
        )

    def _call(self, images: torch.Tensor, x_0: torch.Tensor, settings: EditSettings) -> dict[str, Any]:
        """The keywords of the pipeline's call, but for the start."""
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
        if self.family.render_is_reference:
            call[str(self.family.reference_keyword)] = [
                *(_picture(image) for image in images),
                *(self._references[reference.path] for reference in settings.references),
            ]
        call.update(self._ip_adapters.call(settings.ip_adapters))
        taken = self._parameters()
        return {key: value for key, value in call.items() if key in taken}

    def _parameters(self) -> Any:
        return inspect.signature(type(self.pipeline).__call__).parameters

    def _start(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The keywords that say where to start, x being (b, c, h, w)."""
        layout = self.family.start_layout or self.family.layout
        latents = layout(self.pipeline, x).to(torch.float32 if self.family.float32_latents else self.dtype)
        return {"latents": latents, "image": latents} if self.family.start_as_image else {"latents": latents}

    def _laid_out(self, x: torch.Tensor) -> torch.Tensor:
        laid_out: torch.Tensor = self.family.layout(self.pipeline, x)
        return laid_out

    def _laid_back(self, x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """The inverse of ``_laid_out``: where each value went shows a row of numbers that is laid out."""
        count = like[0].numel()
        numbers = torch.arange(count, dtype=torch.float64, device=x.device).view(1, *like.shape[1:])
        order = self._laid_out(numbers).flatten().long().argsort()
        return x.flatten(1)[:, order].view(like.shape)


def _picture(image: torch.Tensor) -> Image.Image:
    """(3, h, w) in [0, 1] as pipelines take reference pictures."""
    return Image.fromarray((image * 255).round().to("cpu", torch.uint8).permute(1, 2, 0).numpy())


def _shifted(on_step: Callable[[int, int], None] | None, part: int, parts: int) -> Callable[[int, int], None] | None:
    """``on_step`` for one of several parts that run one after the other."""
    if on_step is None or parts == 1:
        return on_step
    return lambda step, steps: on_step(part * steps + step, parts * steps)
