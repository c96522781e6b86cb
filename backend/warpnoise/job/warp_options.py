"""The options of ``warpnoise warp``, which writes only the noise of a shot."""

from __future__ import annotations

from pydantic import field_validator, model_validator

from warpnoise.media.array_file import Format, Layout
from warpnoise.media.validation import Options, setting
from warpnoise.noise import MAX_CHANNELS, MAX_MAPS, NOISE_METHODS


class WarpOptions(Options):
    """The noise to write, and its file format. For a latent model, use the size of the frames divided by the VAE's
    factor."""

    channels: int = setting(
        4,
        "Channels",
        "The number of channels: 4 for Stable Diffusion, 3 for pixels",
        ge=1,
        le=MAX_CHANNELS,
        metavar="N",
    )
    height: int | None = setting(
        None, "Height", "The height of the noise", ge=1, null="in proportion to the width, or the height of the frames"
    )
    width: int | None = setting(
        None, "Width", "The width of the noise", ge=1, null="in proportion to the height, or the width of the frames"
    )
    maps: int = setting(1, "Maps", "The number of independent noise maps", ge=1, le=MAX_MAPS)
    seed: int = setting(0, "Seed", "Determines the noise", ge=0, le=2**63 - 1, null="the job's")
    noise: str = setting(
        "warped", "Noise", "The noise method, as for `warpnoise stylize --noise`", null="the job's", metavar="NAME"
    )
    layout: Layout = setting(
        "planes",
        "Layout",
        "The order of a frame's values: channels first, channels last, or blocks of 2 x 2 as channels or as tokens",
    )
    format: Format = setting(
        "npz",
        "Format",
        "The file format. exr writes a folder of pictures",
        null="that of the output's name, or else npz",
    )
    per_frame: bool = setting(False, "Per Frame", "Write a file for each frame, named by its number, into a folder")

    @field_validator("noise")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NOISE_METHODS:
            raise ValueError(f"there is no {name!r}; there are {', '.join(NOISE_METHODS)}")
        return name

    @model_validator(mode="after")
    def _exr_has_planes(self) -> WarpOptions:
        if self.format == "exr" and self.layout != "planes":
            raise ValueError(f"layout {self.layout}: EXR files are pictures, which have the layout planes alone")
        return self
