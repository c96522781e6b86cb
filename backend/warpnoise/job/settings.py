"""The settings of a run. Each is defined once, with its name, title, description, range and default.

The command line (``warpnoise.cli.shared_options``), the HTTP interface and ``job.json`` use `Settings` directly. The
add-on builds its properties and its command line from ``warpnoise_addon/settings.json``, a JSON schema that

    python -m warpnoise.job.settings_schema

writes from `Settings`. If null means "the model's own value", ``warpnoise.pipeline.made_of.effective`` replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from pydantic import PrivateAttr, ValidationError, ValidationInfo, field_validator, model_validator

from warpnoise.coherence.presets import PRESETS
from warpnoise.errors import SettingsError
from warpnoise.job.animation import Curves, Key, curves_of, numbers_in, values_at
from warpnoise.media.validation import StrictModel, first_message, setting, validated
from warpnoise.noise import METHODS, NOISE_METHODS
from warpnoise.sdedit.edit_settings import Control, Embedding, IpAdapter, Lora, Reference
from warpnoise.sdedit.samplers import SAMPLERS

_THE_MODEL_S = "the model's own"
_THE_PRESET_S = "the coherence preset's"


def _labels(known: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {name: {"label": each.label, "description": each.description} for name, each in known.items()}


_COHERENCE: dict[str, dict[str, Any]] = {
    name: {"label": label, "description": text}
    for name, label, text in (
        ("steady", "Steady", "Strong. Surfaces are steadiest, but moving light may lag behind."),
        ("balanced", "Balanced", "Medium. Surfaces are steady, and most styles stay sharp."),
        ("lively", "Lively", "Weak. Surfaces change a little, for a hand-made look."),
        ("off", "Off", "Only the noise connects the frames."),
        ("auto", "Automatic", "Balanced with warped noise, Off with the noise methods that are for comparison."),
    )
}
for _name in ("steady", "balanced", "lively"):
    _COHERENCE[_name]["sets"] = asdict(PRESETS[_name])


def _share_of_preset(title: str, description: str, start: float, least: float = 0) -> Any:
    """A strength from 0 to 1 that the coherence preset gives where it is null."""
    return setting(
        None, title, description, ge=least, le=1, subtype="FACTOR", null=_THE_PRESET_S, start=start, panel="coherence"
    )


class Settings(StrictModel):
    """The settings of a run. Panels and help texts list them in this order."""

    model: str = setting(
        "default",
        "Model",
        '"default", the name of an installed model, or the path of a folder or file. `warpnoise models` lists the '
        "installed models",
        min_length=1,
        subtype="MODEL",
        metavar="NAME|PATH",
    )
    style: str | None = setting(
        None, "Style", "One of the model's styles", subtype="STYLE", null="the model's first", metavar="NAME"
    )
    prompt: str = setting(
        "", "Prompt", "Describes what the frames show. Only some models take a prompt", animatable=True
    )
    negative_prompt: str = setting(
        "",
        "Negative Prompt",
        "Describes what the frames must not show. Only some models take a prompt",
        animatable=True,
    )
    strength: float = setting(
        0.5,
        "Strength",
        "How far the model may depart from the render. Low values stay close to the render, and 1 ignores it",
        gt=0,
        le=1,
        subtype="FACTOR",
        min=0.01,
        animatable=True,
    )
    steps: int | None = setting(
        None,
        "Steps",
        "The number of denoising steps at strength 1. At strength 0.5, half of them run. More steps take longer",
        ge=1,
        le=10_000,
        null=_THE_MODEL_S,
        start=20,
        soft_max=100,
    )
    guidance: float | None = setting(
        None,
        "Guidance",
        "How closely the model follows the prompt or style (classifier-free guidance)",
        ge=0,
        le=1000,
        null=_THE_MODEL_S,
        start=7.5,
        soft_max=20,
        animatable=True,
    )
    texture: float | None = setting(
        None,
        "Texture",
        "How much pink noise is added to the frames before the model sees them. It moves with the surfaces, and the "
        "model turns it into texture on surfaces that would otherwise stay flat",
        ge=0,
        le=1,
        subtype="FACTOR",
        null=_THE_MODEL_S,
        start=0.2,
        animatable=True,
    )
    loras: tuple[Lora, ...] = setting(
        (),
        "LoRAs",
        "LoRA files, which change what the model paints. A LoRA works only with the base model that it was made for",
        max_length=16,
        option="lora",
        metavar="FILE[,weight=N]",
    )
    controls: tuple[Control, ...] = setting(
        (),
        "Controls",
        "ControlNets, which make the model follow the scene's depth, normals, lines or colors",
        max_length=8,
        option="control",
        metavar="FOLDER[,input=depth][,weight=N]",
    )
    embeddings: tuple[Embedding, ...] = setting(
        (),
        "Embeddings",
        "Textual inversions, which teach the text encoder a new word. Use the word in the prompt",
        max_length=16,
        option="embedding",
        metavar="FILE[,token=WORD]",
    )
    ip_adapters: tuple[IpAdapter, ...] = setting(
        (),
        "IP-Adapters",
        "IP-Adapters, which transfer the look of a picture to the frames",
        max_length=8,
        option="ip-adapter",
        metavar="FILE,image=PICTURE[,weight=N][,encoder=FOLDER]",
    )
    references: tuple[Reference, ...] = setting(
        (),
        "References",
        "Pictures that an editing model gets in addition to the render",
        max_length=16,
        option="reference",
        metavar="PICTURE",
    )
    sampler: str | None = setting(
        None,
        "Sampler",
        "The method that computes the denoising steps",
        enum=[*SAMPLERS, None],
        null=_THE_MODEL_S,
        start="ddim",
        metavar="NAME",
        labels=_labels(SAMPLERS),
    )
    eta: float = setting(
        0.0,
        "Eta",
        "How much new noise each denoising step adds, from 0 (DDIM) to 1 (DDPM). This noise moves with the surfaces, "
        "too. Only some samplers use it",
        ge=0,
        le=1,
        subtype="FACTOR",
        panel="noise",
    )
    phase_lock: Literal["exact", "always", "off"] = setting(
        "exact",
        "Phase Lock",
        "Shifts frames so that their content keeps its position on the model's grid, which reduces flicker. exact (In "
        "Pans): only while the whole frame moves as one. always: in every shot, for the largest surface. Shifted "
        "frames are larger and take longer",
        labels={
            "exact": {"label": "In Pans", "description": "While the whole frame moves as one."},
            "always": {"label": "Always", "description": "In every shot, for the largest surface."},
            "off": {"label": "Off", "description": "No frame is shifted."},
        },
        panel="noise",
    )
    coherence: Literal["steady", "balanced", "lively", "off", "auto"] = setting(  # .blend files count these
        "auto",
        "Coherence",
        "How strongly surfaces keep their painted look from frame to frame, in addition to the effect of the noise",
        labels=_COHERENCE,
        panel="coherence",
    )
    key_share: float | None = _share_of_preset(
        "Key Share",
        "A frame becomes a key frame if more than this share of it shows surfaces that no earlier key frame shows",
        start=0.2,
        least=0.01,
    )
    pull: float | None = _share_of_preset(
        "Pull",
        "How strongly the denoising steps draw a frame toward the look of its surfaces in key frames and in "
        "the previous frame",
        start=1.0,
    )
    accumulation: float | None = _share_of_preset(
        "Accumulation",
        "How strongly a finished frame is averaged with the frames around it. Its finest detail does not change",
        start=0.5,
    )
    attention: float | None = _share_of_preset(
        "Attention",
        "How strongly the model's self-attention includes the key frame. Works with Stable Diffusion 1.x, "
        "2.x and XL, LCM and PixArt",
        start=0.5,
    )
    seed: int = setting(
        0,
        "Seed",
        "Determines the noise. A different seed gives different brushwork in the same style",
        ge=0,
        le=2**63 - 1,
    )
    noise: str = setting(
        NOISE_METHODS[0],
        "Noise",
        "How the noise changes from frame to frame. Warped noise moves with the surfaces; the other methods are for "
        "comparison",
        enum=[*NOISE_METHODS],
        labels=_labels(METHODS),
        panel="noise",
    )
    latent_noise: Literal["aligned", "pooled"] = setting(
        "aligned",
        "Latent Noise",
        "How the noise of a latent model is made from pixel noise. Pooled noise is for comparison",
        labels={
            "aligned": {"label": "Decoder-Aligned", "description": "What the decoder paints moves with the noise."},
            "pooled": {"label": "Pooled", "description": "The noise is summed over the pixels of each latent cell."},
        },
        panel="noise",
    )
    animation: tuple[Key, ...] = setting(
        (),
        "Animation",
        "A value of a setting at a frame, such as strength,frame=12,value=0.4. Between two such frames, the setting "
        "changes linearly",
        max_length=100_000,
        option="key",
        metavar="DATA_PATH,frame=N,value=V",
        hidden=True,
    )

    _curves: Curves = PrivateAttr(default_factory=dict)
    _blends: dict[str, tuple[str, float]] = PrivateAttr(default_factory=dict)
    _largest: dict[str, float] = PrivateAttr(default_factory=dict)

    @field_validator("sampler", "noise")
    @classmethod
    def _known(cls, name: str | None, info: ValidationInfo) -> str | None:
        known: Mapping[str, object] = SAMPLERS if info.field_name == "sampler" else METHODS
        if name is not None and name not in known:
            raise ValueError(f"there is no {name!r}; there are {', '.join(known)}")
        return name

    @model_validator(mode="after")
    def _animation_fits(self) -> Settings:
        self._curves = curves_of(self.animation)
        numbers = numbers_in(self._curves)
        for path in numbers:
            name, index = Key.place(path)
            if index is not None and index >= len(getattr(self, name)):
                raise ValueError(
                    f"animation: {path}: there are {len(getattr(self, name))} {name}. Add one, or leave the key out"
                )
        for extreme in (min, max) if numbers else ():  # ranges have no holes: the extremes stand for all values
            fields = self.model_dump() | {"animation": ()}
            try:
                Settings.model_validate(_changed(fields, {path: extreme(values) for path, values in numbers.items()}))
            except ValidationError as failure:
                raise ValueError(f"animation: {first_message(Settings, failure)}") from None
        return self

    def at(self, frame: int) -> Settings:
        """The settings of one frame, with the animated values of that frame and without the animation.

        Between two prompts, ``blends`` holds the next prompt and its share.
        """
        if not self.animation:
            return self
        numbers, blends = values_at(self._curves, frame)
        changes: dict[str, Any] = {name: before for name, (before, _, _) in blends.items()}
        for path, value in numbers.items():
            name, index = Key.place(path)
            if index is None:
                changes[name] = value
            else:
                items = list(changes.get(name, getattr(self, name)))
                items[index] = items[index].model_copy(update={"weight": value})
                changes[name] = tuple(items)
        found = self.model_copy(update={**changes, "animation": ()})
        found._curves = {}
        found._blends = {name: (after, share) for name, (_, after, share) in blends.items() if share > 0}
        found._largest = {path: max(values) for path, values in numbers_in(self._curves).items()}
        return found

    @property
    def blends(self) -> Mapping[str, tuple[str, float]]:
        """{"prompt": (next text, share from 0 to 1)}, and the same for "negative_prompt"."""
        return self._blends

    def largest(self, name: Literal["strength", "texture"]) -> float | None:
        """The largest value of the setting ``name`` in the whole shot. Settings from ``at`` remember it."""
        numbers = numbers_in(self._curves)
        if name in numbers:
            return max(numbers[name])
        value: float | None = self._largest.get(name, getattr(self, name))
        return value

    def texts(self, name: Literal["prompt", "negative_prompt"]) -> tuple[str, ...]:
        """All texts of the whole shot."""
        keyed = tuple(dict.fromkeys(str(value) for _, value in self._curves.get(name, ())))
        return keyed or (getattr(self, name),)

    def updated(self, changes: Mapping[str, object]) -> Settings:
        """A copy of these settings in which ``changes`` replace the fields that they name.

        Raises:
            SettingsError: a field is unknown, or a value has a wrong type or is out of range.
        """
        return validated(Settings, {**self.model_dump(), **changes}, "The settings", SettingsError)


def _changed(fields: dict[str, Any], values: Mapping[str, float]) -> dict[str, Any]:
    """``fields`` with values in the places of their data paths."""
    for path, value in values.items():
        name, index = Key.place(path)
        if index is None:
            fields[name] = value
        else:
            fields[name][index]["weight"] = value
    return fields
