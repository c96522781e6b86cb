"""The settings of a stylizing, each written down once: its name, title, description, range and default.

The command line (``warpnoise.cli.shared_options``), the HTTP interface and ``job.json`` take what `Settings` takes. The
add-on builds its properties and its command line from ``warpnoise_addon/settings.json``, a JSON schema that

    python -m warpnoise.job.settings_schema

writes from `Settings`. A setting of which null means "the model's own" is resolved by
``warpnoise.pipeline.made_of.effective``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import PrivateAttr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from warpnoise.errors import SettingsError
from warpnoise.job.adapters import Control, Embedding, IpAdapter, Lora, Reference
from warpnoise.job.animation import Curves, Key, curves_of, numbers_in, values_at
from warpnoise.job.setting_field import setting
from warpnoise.job.validation import OWN_MESSAGE, StrictModel, first_message, validated
from warpnoise.noise import METHODS, NOISE_METHODS
from warpnoise.sdedit.samplers import SAMPLERS

_THE_MODEL_S = "the model's own"
_THE_PRESET_S = "the coherence preset's"


def _labels(known: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {name: {"label": each.label, "description": each.description} for name, each in known.items()}


class Settings(StrictModel):
    """What to make of a shot. The order is that of panels and help texts."""

    model: str = setting(
        "default",
        "Model",
        '"default", or the folder of a diffusers model; `warpnoise models` describes it',
        min_length=1,
        subtype="MODEL",
        metavar="NAME|FOLDER",
    )
    style: str | None = setting(
        None,
        "Style",
        "A style by its name, for a model that has styles",
        subtype="STYLE",
        null="the model's first",
        metavar="NAME",
    )
    prompt: str = setting("", "Prompt", "What the frames show, for a model that takes a prompt", animatable=True)
    negative_prompt: str = setting(
        "", "Negative Prompt", "What the frames do not show, for a model that takes a prompt", animatable=True
    )
    strength: float = setting(
        0.5,
        "Strength",
        "How far the model may go from the render: 0 leaves it, 1 ignores it",
        gt=0,
        le=1,
        subtype="FACTOR",
        min=0.01,
        animatable=True,
    )
    steps: int | None = setting(
        None,
        "Steps",
        "Denoising steps of the whole schedule; strength x steps of them run. More are slower, and finer up to about "
        "50",
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
        "Noise on the frames that moves with the surfaces, from which the model makes a material where it would leave "
        "a surface flat",
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
        "Files that change what the model paints, for the base that it was made for",
        max_length=16,
        option="lora",
        metavar="FILE[,weight=N]",
    )
    controls: tuple[Control, ...] = setting(
        (),
        "Controls",
        "ControlNets, which hold the model to the scene's depth, normals, lines or colors",
        max_length=8,
        option="control",
        metavar="FOLDER[,input=depth][,weight=N]",
    )
    embeddings: tuple[Embedding, ...] = setting(
        (),
        "Embeddings",
        "Textual inversions: files that teach the text encoder a word, which the prompt must hold",
        max_length=16,
        option="embedding",
        metavar="FILE[,token=WORD]",
    )
    ip_adapters: tuple[IpAdapter, ...] = setting(
        (),
        "IP-Adapters",
        "Adapters that show the model a picture whose look it takes",
        max_length=8,
        option="ip-adapter",
        metavar="FILE,image=PICTURE[,weight=N][,encoder=FOLDER]",
    )
    references: tuple[Reference, ...] = setting(
        (),
        "References",
        "Pictures beside the render, for models that edit",
        max_length=16,
        option="reference",
        metavar="PICTURE",
    )
    sampler: str | None = setting(
        None,
        "Sampler",
        "How each step goes from more noise to less",
        enum=[*SAMPLERS, None],
        null=_THE_MODEL_S,
        start="ddim",
        metavar="NAME",
        labels=_labels(SAMPLERS),
    )
    eta: float = setting(
        0.0,
        "Eta",
        "New noise in each denoising step, warped as well, where the sampler has the choice: 0 is none, 1 renews all "
        "of it (DDIM and DDPM)",
        ge=0,
        le=1,
        subtype="FACTOR",
        panel="noise",
    )
    phase_lock: Literal["exact", "always", "off"] = setting(
        "exact",
        "Phase Lock",
        "Shifts each frame on the model's grid so that its largest surface keeps its place there. Shifted frames have "
        "a border, which takes time",
        labels={
            "exact": {"label": "Where Exact", "description": "In pans, as long as the whole frame moves as one."},
            "always": {"label": "Always", "description": "Also where other surfaces move against the largest one."},
            "off": {"label": "Off", "description": "Frames stay where they are."},
        },
        panel="noise",
    )
    coherence: Literal["steady", "balanced", "lively", "off"] = setting(
        "off",
        "Coherence",
        "How strongly surfaces keep what was painted on them once, beyond what the noise does",
        labels={
            "steady": {"label": "Steady", "description": "As still as it gets; light on the paint may lag behind."},
            "balanced": {"label": "Balanced", "description": "Held together, and as sharp as single frames."},
            "lively": {"label": "Lively", "description": "Held together loosely, for a hand-made look."},
            "off": {"label": "Off", "description": "Noise alone."},
        },
        panel="coherence",
    )
    key_share: float | None = setting(
        None,
        "Key Share",
        "A frame is a key frame where more than this share of it was in no key frame before",
        ge=0.01,
        le=1,
        subtype="FACTOR",
        null=_THE_PRESET_S,
        start=0.2,
        panel="coherence",
    )
    pull: float | None = setting(
        None,
        "Pull",
        "How strongly the steps draw a frame toward what its surfaces look like in key frames and in the frame before",
        ge=0,
        le=1,
        subtype="FACTOR",
        null=_THE_PRESET_S,
        start=0.9,
        panel="coherence",
    )
    accumulation: float | None = setting(
        None,
        "Accumulation",
        "How much of a finished frame, but for its finest detail, is the mean of the frames around it",
        ge=0,
        le=1,
        subtype="FACTOR",
        null=_THE_PRESET_S,
        start=0.5,
        panel="coherence",
    )
    attention: float | None = setting(
        None,
        "Attention",
        "How strongly a frame looks at its key frame while it is denoised, for models with a prompt that can",
        ge=0,
        le=1,
        subtype="FACTOR",
        null=_THE_PRESET_S,
        start=0.5,
        panel="coherence",
    )
    seed: int = setting(
        0,
        "Seed",
        "Decides every bit of the noise: another seed is another brushwork in the same style",
        ge=0,
        le=2**63 - 1,
    )
    noise: str = setting(
        NOISE_METHODS[0],
        "Noise",
        "How the noise goes from frame to frame. All but the first are for comparison",
        enum=[*NOISE_METHODS],
        labels=_labels(METHODS),
        panel="noise",
    )
    latent_noise: Literal["aligned", "pooled"] = setting(
        "aligned",
        "Latent Noise",
        "How a model with an autoencoder reads the noise. The second is for comparison",
        labels={
            "aligned": {"label": "Decoder-Aligned", "description": "What the decoder paints moves with the noise."},
            "pooled": {"label": "Pooled", "description": "Averaged over the pixels of each latent."},
        },
        panel="noise",
    )
    animation: tuple[Key, ...] = setting(
        (),
        "Animation",
        "Values of settings over the shot, linear between two frames",
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
            names = {"name": repr(name), "known": ", ".join(known)}
            raise PydanticCustomError(OWN_MESSAGE, "there is no {name}; there are {known}", names)
        return name

    @model_validator(mode="after")
    def _animation_fits(self) -> Settings:
        self._curves = curves_of(self.animation)
        numbers = numbers_in(self._curves)
        for path in numbers:
            name, index = Key.place(path)
            if index is not None and index >= len(getattr(self, name)):
                raise _misfit("animation: {path}: there are {count} {name}", path, len(getattr(self, name)), name)
        for extreme in (min, max) if numbers else ():  # ranges have no holes: the extremes stand for all values
            fields = self.model_dump() | {"animation": ()}
            try:
                Settings.model_validate(_changed(fields, {path: extreme(values) for path, values in numbers.items()}))
            except ValidationError as failure:
                raise _misfit("animation: {path}", first_message(Settings, failure)) from None
        return self

    def at(self, frame: int) -> Settings:
        """The settings of one frame: without an animation, and with that frame's values.

        Where a prompt is on the way to the next one, ``blends`` says so.
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
        """For ``prompt`` and ``negative_prompt``: the text that it turns into, and that text's share, 0 to 1."""
        return self._blends

    def largest(self, name: Literal["strength", "texture"]) -> float | None:
        """The largest value over the whole shot, also of the settings of one frame."""
        numbers = numbers_in(self._curves)
        if name in numbers:
            return max(numbers[name])
        value: float | None = self._largest.get(name, getattr(self, name))
        return value

    def texts(self, name: Literal["prompt", "negative_prompt"]) -> tuple[str, ...]:
        """Every text of the whole shot."""
        keyed = tuple(dict.fromkeys(str(value) for _, value in self._curves.get(name, ())))
        return keyed or (getattr(self, name),)

    def updated(self, changes: Mapping[str, object]) -> Settings:
        """These settings with ``changes`` in place of the fields that it names.

        Raises:
            SettingsError: an unknown field, a wrong type, or a value out of its range.
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


def _misfit(text: str, path: str, count: int = 0, name: str = "") -> PydanticCustomError:
    return PydanticCustomError(OWN_MESSAGE, text, {"path": path, "count": count, "name": name})
