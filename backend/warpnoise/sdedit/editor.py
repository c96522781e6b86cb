"""The interface of every model family, and the types of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import torch

    from warpnoise.sdedit.key_attention import KeyFrame
    from warpnoise.sdedit.pull import Pull


class LoraSettings(Protocol):
    """A LoRA file and how strongly it acts: 1 as it was trained, 0 not at all."""

    path: str
    weight: float


class ControlSettings(Protocol):
    """A ControlNet's folder, what it is shown ("depth", "normals", "lines", "color"), how strongly it acts, and over
    which part of the steps, 0 to 1."""

    path: str

    @property
    def input(self) -> str: ...

    weight: float
    start: float
    end: float


class EmbeddingSettings(Protocol):
    """A textual inversion's file, and its token ("": the file's own)."""

    path: str
    token: str


class IpAdapterSettings(Protocol):
    """An IP-Adapter's file, its picture, how strongly it acts, and its image encoder's folder ("": beside the file)."""

    path: str
    image: str
    weight: float
    encoder: str


class ReferenceSettings(Protocol):
    """A picture for a model that edits."""

    path: str


class EditSettings(Protocol):
    """The fields of a job's settings that SDEdit reads; docs/architecture.md gives their meaning and ranges."""

    style: str | None
    prompt: str
    negative_prompt: str
    strength: float
    steps: int | None
    guidance: float | None
    texture: float | None
    eta: float
    sampler: str | None

    @property
    def loras(self) -> Sequence[LoraSettings]: ...
    @property
    def controls(self) -> Sequence[ControlSettings]: ...
    @property
    def embeddings(self) -> Sequence[EmbeddingSettings]: ...
    @property
    def ip_adapters(self) -> Sequence[IpAdapterSettings]: ...
    @property
    def references(self) -> Sequence[ReferenceSettings]: ...
    @property
    def latent_noise(self) -> str: ...
    @property
    def blends(self) -> Mapping[str, tuple[str, float]]: ...
    def largest(self, name: Literal["strength", "texture"], /) -> float | None: ...
    def texts(self, name: Literal["prompt", "negative_prompt"], /) -> tuple[str, ...]: ...


class NoiseMaps(Protocol):
    """``noise(k)`` -> (b, *noise_shape) float32, N(0, 1).

    Map 0 starts, map k is for the k-th stochastic step; where there is texture, the last map is its own.
    """

    def __call__(self, index: int, /) -> torch.Tensor: ...


class Editor(Protocol):
    """A loaded model. It may be used for any number of batches, by one thread at a time."""

    @property
    def name(self) -> str: ...
    @property
    def styles(self) -> tuple[str, ...]: ...
    @property
    def takes_prompt(self) -> bool: ...
    @property
    def takes_geometry(self) -> bool:
        """Whether ``edit`` uses ``geometry``."""

    @property
    def digest(self) -> str:
        """Of the weights and configuration, in hexadecimal."""

    @property
    def device(self) -> torch.device: ...
    def cell(self, settings: EditSettings) -> int:
        """Pixels on a side of the network's grid: if picture and noise shift by whole cells, so does the result.
        1: there is no grid on which noise can be shifted."""

    def rest(self) -> None:
        """Free the device's memory: move the weights to main memory."""

    def wake(self) -> None:
        """Move the weights back to the device, before the next ``edit``."""

    def save_memory(self, height: int, width: int) -> str:
        """Use less of the device's memory from now on. Call it if a single frame did not fit.

        Returns:
            What changed, as a sentence.

        Raises:
            ModelError: nothing is left to try; says what would fit.
        """

    def take_warnings(self) -> tuple[str, ...]:
        """Messages for the user since the last call, as sentences."""

    def check(
        self,
        settings: EditSettings,
        *,
        measuring: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[str, ...]:
        """Warnings about settings that have no effect here. The first call for a model with an autoencoder measures it.

        Args:
            measuring: called with the share of the measuring that is done, 0 to 1.
            cancelled: asked while measuring.

        Raises:
            SettingsError: a setting that the model does not take.
            ModelError: a file that the settings name, such as a LoRA, does not fit the model.
            Cancelled: ``cancelled()`` was true.
        """

    def noise_shape(self, height: int, width: int, settings: EditSettings) -> tuple[int, int, int]:
        """(channels, height, width) of the noise for images of ``height`` x ``width`` pixels."""

    def noise_maps(self, settings: EditSettings) -> int:
        """How many independent noise maps an edit reads: 1, one more for each stochastic step, one for texture."""

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
        """Stylize a batch.

        Args:
            images: (b, 3, h, w) float32 in [0, 1], display-referred (sRGB); on any device.
            noise: gives the maps, each (b, *noise_shape(h, w, settings)); on any device.
            geometry: (b, 4, h, w) float32, for models that take it: the surfaces' unit normals in camera space (x
                right, y up, z toward the viewer; 0: not known), and 1 at surfaces, -1 at the background. None: nothing
                is known.
            guides: (b, 3, h, w) float32 in [0, 1] each: "depth", "normals" and "lines", where the settings' controls
                are given them.
            pull: the look that the surfaces already have; the predictions are drawn toward it, in latent models
                only those of the last steps.
            key: a key frame that self-attention also sees, if the network supports it; for batches of one.
            on_step: called after each denoising step with its number, from 1, and how many there are.
            cancelled: asked before each denoising step.

        Returns:
            (b, 3, h, w) float32 in [0, 1] on the model's device. A frame's result depends on the batch's size by
            rounding only (other kernels may be chosen), never on the other frames.

        Raises:
            SettingsError: a setting out of its range or that this model does not take.
            ModelError: the model returned infinities or NaN.
            Cancelled: ``cancelled()`` was true.
        """
