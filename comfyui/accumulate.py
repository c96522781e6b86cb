"""Frames of any model, made steadier along the shot's motion."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from .shot import ChosenFrames


class WarpnoiseAccumulate:
    """Averages finished frames over time along the shot's motion (`warpnoise accumulate`, docs/coherence.md).

    The detail of each frame stays its own; `amount` is how much of the mean is taken.
    """

    CATEGORY = "Warpnoise"
    FUNCTION = "accumulate"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "shot": ("WARPNOISE_SHOT",),
                "images": ("IMAGE",),
                "amount": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.01}),
            }
        }

    def accumulate(self, shot: ChosenFrames, images: torch.Tensor, amount: float) -> tuple[torch.Tensor]:
        from warpnoise.job import frame_name
        from warpnoise.media.png import write_png
        from warpnoise.pipeline import accumulate_folder
        from warpnoise.pipeline.read import read_picture

        if list(shot.frames) != shot.shot.frames:
            raise ValueError("Warpnoise Accumulate: choose ALL frames in Warpnoise Shot; each is averaged with others.")

        size = (len(shot.frames), shot.shot.scene.height, shot.shot.scene.width, 3)
        if tuple(images.shape) != size:
            raise ValueError(f"Warpnoise Accumulate: the images are {tuple(images.shape)}; the shot's are {size}.")
        if not torch.isfinite(images).all():
            raise ValueError("Warpnoise Accumulate: the images have values that are not finite (NaN).")
        with tempfile.TemporaryDirectory(prefix="warpnoise-") as folder:
            given, made = Path(folder, "given"), Path(folder, "made")
            given.mkdir()
            for number, image in zip(shot.frames, images, strict=True):
                picture = (image.clamp(0, 1) * 65535).round().to(torch.int32).cpu().numpy().astype("uint16")
                write_png(given / f"{frame_name(number)}.png", picture)
            files = accumulate_folder(shot.shot, given, made, amount=amount)
            pictures = [read_picture(file).image for file in files]
        return (torch.stack(pictures).movedim(1, -1),)
