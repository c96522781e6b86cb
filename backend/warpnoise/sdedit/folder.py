"""A diffusers folder, understood without loading its weights (and without importing PyTorch, which takes seconds)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from warpnoise.errors import ModelError
from warpnoise.sdedit.digest import digest_file, digest_files
from warpnoise.sdedit.editor import EditSettings
from warpnoise.sdedit.styles import FILE_NAME as STYLES_FILE
from warpnoise.sdedit.styles import StyleSheet, read_styles

Family = Literal["pixel", "latent"]
_Number = TypeVar("_Number", int, float)

DEFAULT_MODEL = Path(__file__).parents[1] / "models" / "default"

FLOW_SCHEDULER = "FlowMatchEulerDiscreteScheduler"
DIFFUSION_SCHEDULERS = frozenset({
    "DDIMParallelScheduler",
    "DDIMScheduler",
    "DDPMParallelScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
})  # fmt: skip
"""Samplers of one and the same diffusion: betas, ``alphas_cumprod``, a prediction type."""

GEOMETRY_CHANNELS = 4
"""A normal's three components, and whether there is a surface: see ``Editor.edit``."""

_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_FAMILIES = (
    "pixel-space models (DDPMPipeline, DDIMPipeline: a UNet2DModel and a scheduler) and "
    "Stable Diffusion 1.x and 2.x (StableDiffusionPipeline)"
)
_STABLE_DIFFUSION = {
    "unet": "UNet2DConditionModel",
    "vae": "AutoencoderKL",
    "text_encoder": "CLIPTextModel",
    "tokenizer": "CLIPTokenizer",
}


@dataclass(frozen=True)
class ModelFolder:
    """What a model is. ``unet``, ``vae`` and ``scheduler`` are the contents of their configuration files, ``classes``
    how many class labels the network knows (None: it is not class-conditional)."""

    path: Path
    name: str
    family: Family
    unet: dict[str, Any]
    vae: dict[str, Any]
    scheduler: dict[str, Any]
    classes: int | None
    sheet: StyleSheet

    @classmethod
    def open(cls, name_or_path: str | Path) -> ModelFolder:
        """Read the configuration of a model and check that it is one that Warpnoise can run.

        Args:
            name_or_path: "default", or the path of a folder that diffusers' ``save_pretrained`` wrote.

        Raises:
            ModelError: no such folder, not a model, of a family that is not known, weights that are missing or pickled.
        """
        path = DEFAULT_MODEL if name_or_path == "default" else Path(name_or_path).expanduser()
        _check_folder(path)
        index = read_json(path / "model_index.json") if (path / "model_index.json").is_file() else None
        if index is None:
            config = read_json(path / "config.json")
            index = {"unet": [None, config.get("_class_name")], "scheduler": [None, None]}
        classes = {
            key: value[1] for key, value in index.items() if isinstance(value, list) and len(value) == 2 and value[1]
        }
        family = _family(path, index.get("_class_name"), classes)
        unet = read_json(component(path, "unet") / "config.json")
        labels = _count_classes(path, unet) if family == "pixel" else None
        folder = cls(
            path=path,
            name=str(name_or_path),
            family=family,
            unet=unet,
            vae=read_json(path / "vae" / "config.json") if family == "latent" else {},
            scheduler=_read_scheduler(path),
            classes=labels,
            sheet=read_styles(path / STYLES_FILE, labels),
        )
        folder._check_channels()
        for part in folder.weighted:
            find_weights(component(path, part))
        return folder

    @property
    def styles(self) -> tuple[str, ...]:
        """The names that the setting ``style`` takes, in the order of the class labels."""
        return self.sheet.styles

    @property
    def takes_prompt(self) -> bool:
        return self.family == "latent"

    @property
    def takes_frame(self) -> bool:
        """Whether a pixel model is given the frame itself, in three more channels beside the noisy picture."""
        return self.family == "pixel" and self.unet.get("in_channels") in (6, 6 + GEOMETRY_CHANNELS)

    @property
    def takes_geometry(self) -> bool:
        """Whether it is given the frame's geometry as well, in four more channels behind the frame's."""
        return self.family == "pixel" and self.unet.get("in_channels") == 6 + GEOMETRY_CHANNELS

    @property
    def is_flow(self) -> bool:
        """Whether image and noise mix linearly (flow matching)."""
        return bool(self.scheduler.get("_class_name") == FLOW_SCHEDULER)

    @property
    def train_timesteps(self) -> int:
        """T, the number of timesteps that the model was trained with."""
        return int(self.scheduler.get("num_train_timesteps", 1000))

    @property
    def guidance(self) -> float | dict[str, float]:
        """The model's own guidance scale, for all styles or by style. 7.5 is Stable Diffusion's usual one."""
        return 7.5 if self.family == "latent" else self.sheet.guidance

    def guidance_for(self, settings: EditSettings) -> float:
        """The guidance scale that the settings give, else the model's own for their style."""
        return self._given_or_own(settings.guidance, self.guidance, settings.style)

    def steps_for(self, settings: EditSettings) -> int:
        """The steps of the whole schedule that the settings give, else the model's own for their style."""
        return self._given_or_own(settings.steps, self.sheet.steps, settings.style)

    def texture_for(self, settings: EditSettings) -> float:
        """How much texture the settings give the frames, else what suits the model and their style."""
        return self._given_or_own(settings.texture, self.sheet.texture, settings.style)

    def _given_or_own(self, given: _Number | None, own: _Number | dict[str, _Number], style: str | None) -> _Number:
        if given is not None:
            return given
        if isinstance(own, dict):
            return own[self.styles[0] if style is None else style]
        return own

    @property
    def vae_factor(self) -> int:
        """Pixels a latent, along one side; 1 in pixel space."""
        return 2 ** (len(self.vae["block_out_channels"]) - 1) if self.family == "latent" else 1

    @property
    def size_multiple(self) -> int:
        """In pixels: what sizes are padded to a multiple of."""
        depth = 2 ** (len(self.unet.get("block_out_channels", (0,) * 4)) - 1)
        return self.sheet.size_multiple or self.vae_factor * depth

    @property
    def weighted(self) -> tuple[str, ...]:
        """The parts that have weights."""
        return ("unet", "vae", "text_encoder") if self.family == "latent" else ("unet",)

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, height, width) of the noise for images of that many pixels. In latent space a latent at the
        border may stand partly outside of the image."""
        channels = int(self.vae.get("latent_channels", 4)) if self.family == "latent" else 3
        return channels, -(-height // self.vae_factor), -(-width // self.vae_factor)

    @cached_property
    def digest(self) -> str:
        """Of everything in the folder that decides what the model computes. Reads the weights: about 1 GB/s and core.

        Raises:
            ModelError: a file cannot be read.
        """
        try:
            return self.digest_through(digest_file)
        except OSError as error:
            raise ModelError(f"{error.filename} cannot be read ({error.strerror}): check its permissions") from error

    def digest_through(self, digest: Callable[[Path], str]) -> str:
        """The same, ``digest`` giving that of each file; raises what it raises."""
        files = list(self.path.glob("*.json"))
        for part in (*self.weighted, "scheduler", *(("tokenizer",) if self.takes_prompt else ())):
            place = component(self.path, part)
            files += [file for file in place.iterdir() if file.suffix in (".json", ".txt")]
            if part in self.weighted:
                files += find_weights(place)[0]
        return digest_files(self.path, {file for file in files if file.is_file()}, digest)

    def _check_channels(self) -> None:
        unet = self.unet
        got = (unet.get("in_channels", 3), unet.get("out_channels", 3))
        if self.family == "latent":
            latents = self.noise_shape(8, 8)[0]
            if got != (latents, latents):
                raise ModelError(
                    f"{self.path}: expected a U-Net of {latents} channels in and out, as the VAE has, got {got[0]} and "
                    f"{got[1]}: inpainting, depth and instruction models are not supported"
                )
            return
        learned = str(self.scheduler.get("variance_type", "")).startswith("learned")
        out = 6 if learned else 3
        if got[0] not in (3, 6, 6 + GEOMETRY_CHANNELS) or got[1] != out:
            raise ModelError(
                f"{self.path}: expected a U-Net of 3 channels in (red, green, blue; 6 if it is given the frame too; "
                f"{6 + GEOMETRY_CHANNELS} if its geometry as well) and {out} out, got {got[0]} and {got[1]}: choose a "
                "model of RGB images"
            )


def component(folder: Path, part: str) -> Path:
    """Where a part of a model lies: in a folder of its name, or, in single-model repositories, at the root."""
    return folder / part if (folder / part).is_dir() else folder


def find_weights(place: Path) -> tuple[list[Path], str | None]:
    """The safetensors files of one part, and their variant ("fp16"; None: the plain ones, which are preferred).

    Raises:
        ModelError: there are none, or only pickles, which can run any program when they are loaded.
    """
    found = sorted(place.glob("*.safetensors"))
    names = [file for file in found if file.name.startswith(("diffusion_pytorch_model", "model"))]
    plain = [file for file in names if file.stem.count(".") == 0]
    if plain:
        return plain, None
    if names:
        variant = names[0].stem.split(".")[1].split("-")[0]
        return [file for file in names if f".{variant}" in file.name], variant
    pickles = sorted(file.name for file in place.iterdir() if file.suffix in _PICKLES)
    if pickles:
        raise ModelError(
            f"{place} holds its weights only as a pickle ({pickles[0]}), which can run any program when it is loaded: "
            "get the model in safetensors form, or convert it once where you trust it "
            "(load it with diffusers, then save_pretrained(..., safe_serialization=True))"
        )
    raise ModelError(
        f"{place}: no weights (diffusion_pytorch_model.safetensors or model.safetensors): download the model again"
    )


def read_json(path: Path) -> dict[str, Any]:
    """An object out of a JSON file. Raises ModelError where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing: this is not a complete diffusers model; download it again") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}): download the model again") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: expected a JSON object, got {type(content).__name__}: download the model again")
    return content


def _check_folder(path: Path) -> None:
    if path.is_file():
        extra = (
            ": single-file checkpoints are not supported; give a diffusers folder"
            if path.suffix in (*_PICKLES, ".safetensors")
            else ""
        )
        raise ModelError(f"model {path} is a file, expected a folder{extra}")
    if not path.is_dir():
        raise ModelError(
            f"model {path}: there is no such folder. Give 'default' or the path of a diffusers folder on this machine "
            "(one from the Hugging Face hub must be downloaded first: hf download NAME --local-dir FOLDER)"
        )
    if not (path / "model_index.json").is_file() and not (path / "config.json").is_file():
        raise ModelError(f"{path} is not a diffusers model: it has no model_index.json. Supported are {_FAMILIES}")


def _family(path: Path, pipeline: str | None, classes: dict[str, str]) -> Family:
    if classes.get("unet") == "UNet2DModel" and set(classes) <= {"unet", "scheduler"}:
        return "pixel"
    if {part: classes.get(part) for part in _STABLE_DIFFUSION} == _STABLE_DIFFUSION and "text_encoder_2" not in classes:
        return "latent"
    what = pipeline or classes.get("unet") or "nothing that it names"
    raise ModelError(f"{path} is a {what}, which is not supported. Supported are {_FAMILIES}")


def _count_classes(path: Path, unet: dict[str, Any]) -> int | None:
    if unet.get("class_embed_type") is not None:
        raise ModelError(
            f"{path}: class_embed_type {unet['class_embed_type']!r} is not supported: "
            "expected a table of embeddings (num_class_embeds, class_embed_type null)"
        )
    return unet.get("num_class_embeds")


def _read_scheduler(path: Path) -> dict[str, Any]:
    config = read_json(component(path, "scheduler") / "scheduler_config.json")
    name = config.get("_class_name")
    if name != FLOW_SCHEDULER and name not in DIFFUSION_SCHEDULERS:
        raise ModelError(
            f"{path}: its scheduler is {name}, whose noise schedule is not supported: "
            f"expected {FLOW_SCHEDULER} or one of {', '.join(sorted(DIFFUSION_SCHEDULERS))}"
        )
    if config.get("use_flow_sigmas"):
        raise ModelError(f"{path}: use_flow_sigmas is not supported: set the scheduler to {FLOW_SCHEDULER}")
    return config
