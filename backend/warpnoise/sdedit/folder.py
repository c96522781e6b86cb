"""Describes a diffusers folder without loading its weights, and without importing PyTorch, which takes seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from warpnoise.errors import ModelError
from warpnoise.hashing import digest_file, digest_files, digest_text
from warpnoise.sdedit.edit_settings import EditSettings
from warpnoise.sdedit.families import Family
from warpnoise.sdedit.folder_checks import (
    GEOMETRY_CHANNELS,
    NO_WEIGHTS,
    check_channels,
    check_folder,
    check_values_of,
    count_classes,
    family_of,
    read_scheduler,
)
from warpnoise.sdedit.model_files import component, find_weights, read_config
from warpnoise.sdedit.one_file import distilled_word, read_one_file
from warpnoise.sdedit.places import resolve
from warpnoise.sdedit.samplers import is_flow, is_stochastic, noise_maps, own_sampler
from warpnoise.sdedit.styles import FILE_NAME as STYLES_FILE
from warpnoise.sdedit.styles import StyleSheet, read_styles

_Number = TypeVar("_Number", int, float)

DEFAULT_MODEL = Path(__file__).parents[1] / "models" / "default"

_DISTILLED = ("lcm", "tcd")
"""Samplers of models that were distilled to a few steps."""


@dataclass(frozen=True)
class ModelFolder:
    """A model's configuration, read without its weights.

    ``family``: None for a UNet2DModel with a scheduler, of pixels or of a VAE's latents. ``parts``: (library, class) of
    each part that is loaded. ``network``, ``vae`` and ``scheduler`` hold the contents of the parts' configuration
    files, and ``index`` that of ``model_index.json``. ``classes``: the number of class labels of the network, or None
    if it is not class-conditional. ``file``: the separate file with the weights of ``file_parts``, if there is one. The
    values of ``file_parts`` are the prefixes of the tensors' names, see `one_file.OneFile`. ``own_tokenizers``: whether
    Warpnoise supplies the tokenizers.
    """

    path: Path
    name: str
    family: Family | None
    index: dict[str, Any]
    parts: dict[str, tuple[str, str]]
    network: dict[str, Any]
    vae: dict[str, Any]
    scheduler: dict[str, Any]
    classes: int | None
    sheet: StyleSheet
    file: Path | None = None
    file_parts: Mapping[str, str] = field(default_factory=dict)
    own_tokenizers: bool = False

    @classmethod
    def open(cls, name_or_path: str | Path) -> ModelFolder:
        """Read the configuration of a model, and check that Warpnoise supports it.

        Args:
            name_or_path: "default", or a name or path that `places.resolve` resolves to a folder that diffusers'
                ``save_pretrained`` wrote, or to a file, for which `one_file` supplies the rest.

        Raises:
            ModelError: there is no such folder, it is not a model, its family is not supported, or its weights are
                missing or pickled.
        """
        path = DEFAULT_MODEL if name_or_path == "default" else resolve(name_or_path, "model")
        one = read_one_file(path) if path.is_file() else None
        if one is not None:
            path = one.folder
        check_folder(path)
        index_name = "model_index.json" if (path / "model_index.json").is_file() else "config.json"
        index = read_config(path / index_name)
        parts, family = family_of(path, index, index_name)
        own_tokenizers = one is not None and one.is_whole
        if one is not None:
            parts = {part: value for part, value in parts.items() if part not in one.left_out}
        needed = [part for part in parts if not (own_tokenizers and part.startswith("tokenizer"))]
        if missing := [part for part in needed if index_name != "config.json" and not (path / part).is_dir()]:
            raise ModelError(f"{path / missing[0]} is missing: this is not a complete model; download it again")
        network_part = "unet" if "unet" in parts else "transformer"
        network = read_config(component(path, network_part) / "config.json")
        classes = count_classes(path, network) if family is None else None
        scheduler, sheet = read_scheduler(path), read_styles(path / STYLES_FILE, classes)
        if one is not None and one.scheduler is not None:
            scheduler, sheet = {**scheduler, **one.scheduler}, sheet.model_copy(update={"steps": 4, "guidance": 1.0})
        folder = cls(
            path=path,
            name=str(name_or_path),
            family=family,
            index=index,
            parts=parts,
            network=network,
            vae=read_config(path / "vae" / "config.json") if "vae" in parts else {},
            scheduler=scheduler,
            classes=classes,
            sheet=sheet,
            file=None if one is None else one.path,
            file_parts={}
            if one is None
            else {network_part: "", **{part: begin for part, begin in one.parts.items() if part in parts}},
            own_tokenizers=own_tokenizers,
        )
        if one is not None:
            one.check_base(family)
        check_values_of(folder)
        check_channels(folder)
        for part in folder.weighted_in_folder:
            find_weights(component(path, part))
        return folder

    @property
    def styles(self) -> tuple[str, ...]:
        """The names that the setting ``style`` accepts, in the order of the class labels."""
        return self.sheet.styles

    @property
    def takes_prompt(self) -> bool:
        return self.family is not None

    @property
    def references(self) -> int:
        """The number of reference pictures that the model takes besides the render."""
        return max(0, self.family.reference_limit - 1) if self.family else 0

    @property
    def takes_frame(self) -> bool:
        """Whether the network of a pixel model also gets the frame, in as many channels as the noisy picture."""
        both = 2 * self.latent_channels
        return self.family is None and self.network.get("in_channels") in (both, both + GEOMETRY_CHANNELS)

    @property
    def takes_geometry(self) -> bool:
        """Whether the network also gets the frame's geometry, in four channels after the frame's."""
        return self.family is None and self.network.get("in_channels") == 2 * self.latent_channels + GEOMETRY_CHANNELS

    @property
    def is_flow(self) -> bool:
        """Whether image and noise mix linearly (flow matching)."""
        return is_flow(self.scheduler)

    @property
    def is_distilled(self) -> bool:
        """Whether the configuration or the name says that the model was distilled to a few steps."""
        return bool(
            distilled_word(Path(self.name).name)
            or own_sampler(self.scheduler)[0] in _DISTILLED
            or self.index.get("is_distilled")
            or (
                self.family is not None
                and self.family.title == "FLUX.1"
                and self.network.get("guidance_embeds") is False
            )
        )

    @property
    def train_timesteps(self) -> int:
        """T, the number of timesteps with which the model was trained."""
        return int(self.scheduler.get("num_train_timesteps", 1000))

    @property
    def guidance(self) -> float | dict[str, float]:
        """The model's own guidance scale, one for all styles or one for each."""
        if self.sheet.guidance is not None:
            return self.sheet.guidance
        if self.family is None or (self.is_distilled and self.network.get("time_cond_proj_dim") is None):
            return 1.0
        return self.family.guidance

    @property
    def steps(self) -> int | dict[str, int]:
        """The model's own number of steps of the whole schedule, one for all styles or one for each."""
        if self.sheet.steps is not None:
            return self.sheet.steps
        if self.family is None:
            return 20
        return min(self.family.steps, self.family.distilled_steps) if self.is_distilled else self.family.steps

    @property
    def sampler(self) -> str:
        """The model's own sampler, or the nearest supported one."""
        return own_sampler(self.scheduler)[0]

    def guidance_for(self, settings: EditSettings) -> float:
        """The guidance scale in the settings, or else the model's own for their style."""
        return self._given_or_own(settings.guidance, self.guidance, settings.style)

    def steps_for(self, settings: EditSettings) -> int:
        """The steps of the whole schedule in the settings, or else the model's own for their style."""
        return self._given_or_own(settings.steps, self.steps, settings.style)

    def texture_for(self, settings: EditSettings) -> float:
        """The amount of texture in the settings, or else the model's own for their style."""
        return self._given_or_own(settings.texture, self.sheet.texture, settings.style)

    def sampler_for(self, settings: EditSettings) -> str:
        """The sampler in the settings, or else the model's own."""
        return self.sampler if settings.sampler is None else settings.sampler

    def denoising_maps(self, settings: EditSettings) -> int:
        """The number of noise maps that the denoising reads: one for the start, and one for each stochastic step.

        The frame with the largest strength has the most steps.
        """
        return self._maps_at(settings, settings.largest("strength") or settings.strength)

    def shot_map(self, settings: EditSettings, index: int) -> int:
        """The number, among the shot's maps, of a frame's map ``index``.

        The start has the same map in all frames. A step at one noise level reads the same map in all frames, whatever
        strength they start from. Otherwise noise would move to other steps when the strength changes.
        """
        return index and index + self.denoising_maps(settings) - self._maps_at(settings, settings.strength)

    def _maps_at(self, settings: EditSettings, strength: float) -> int:
        stochastic = is_stochastic(self.sampler_for(settings), settings.eta)
        return noise_maps(self.steps_for(settings), strength, stochastic)

    def _given_or_own(self, given: _Number | None, own: _Number | dict[str, _Number], style: str | None) -> _Number:
        if given is not None:
            return given
        if isinstance(own, dict):
            return own[self.styles[0] if style is None else style]
        return own

    @property
    def vae_factor(self) -> int:
        """Pixels on a side of a latent; 1 in pixel space."""
        if not self.vae:
            return 1
        if "temperal_downsample" in self.vae:  # diffusers' spelling
            return int(2 ** len(self.vae["temperal_downsample"]))
        blocks = self.vae.get("block_out_channels") or self.vae["encoder_block_out_channels"]
        return int(2 ** (len(blocks) - 1))

    @property
    def latent_channels(self) -> int:
        """The channels of a latent before any packing, or those of a picture if there is no autoencoder."""
        return int(self.vae.get("z_dim") or self.vae.get("latent_channels", 4)) if self.vae else 3

    @property
    def size_multiple(self) -> int:
        """Frames are padded to a multiple of this number of pixels."""
        if self.sheet.size_multiple:
            return self.sheet.size_multiple
        if self.family is None or "unet" in self.parts:
            depth: int = 2 ** (len(self.network.get("block_out_channels", (0,) * 4)) - 1)
            return self.vae_factor * depth
        patch = int(self.network.get("patch_size") or max(self.network.get("all_patch_size", (1,))))
        return math.lcm(self.vae_factor * max(patch, self.family.cell), self.family.size_multiple)

    @property
    def weighted(self) -> tuple[str, ...]:
        """The parts that have weights."""
        return tuple(part for part, (_, kind) in self.parts.items() if not kind.endswith(NO_WEIGHTS))

    @property
    def network_part(self) -> str:
        """The part that denoises."""
        return "unet" if "unet" in self.parts else "transformer"

    @property
    def weighted_in_folder(self) -> tuple[str, ...]:
        """The parts whose weights are in the folder."""
        return tuple(part for part in self.weighted if part not in self.file_parts)

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, height, width) of the noise for images of this size. Latents may extend beyond the border."""
        return self.latent_channels, -(-height // self.vae_factor), -(-width // self.vae_factor)

    @cached_property
    def digest(self) -> str:
        """The digest of everything in the folder that affects the output. Reads the weights, about 1 GB/s a core.

        Raises:
            ModelError: a file cannot be read.
        """
        try:
            return self.digest_through(digest_file)
        except OSError as error:
            raise ModelError(f"{error.filename} cannot be read ({error.strerror}): check its permissions") from error

    def part_digest(self, part: str) -> str:
        """The digest of one part's weights and configuration."""
        place = component(self.path, part)
        if self.file is not None and part in self.file_parts:
            return digest_text(digest_file(place / "config.json"), digest_file(self.file))
        return digest_files(place, [place / "config.json", *find_weights(place)[0]])

    def digest_through(self, digest: Callable[[Path], str]) -> str:
        """As ``digest``, with a function that returns the digest of each file. Raises what that raises."""
        files = list(self.path.glob("*.json"))
        for part in self.parts:
            place = component(self.path, part)
            if not place.is_dir():  # a tokenizer of the package
                continue
            files += [file for file in place.iterdir() if file.suffix in (".json", ".txt", ".model", ".jinja")]
            if part in self.weighted_in_folder:
                files += find_weights(place)[0]
        whole = digest_files(self.path, {file for file in files if file.is_file()}, digest)
        return whole if self.file is None else digest_text(whole, digest(self.file))
