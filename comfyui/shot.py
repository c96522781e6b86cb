"""A job folder as images: what Blender rendered of a shot, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from warpnoise.job import Shot

GUIDES = ("depth", "normals", "lines")


@dataclass(frozen=True)
class ChosenFrames:
    """The socket type WARPNOISE_SHOT: a shot, and the frames of it that are worked on."""

    shot: Shot
    frames: tuple[int, ...]


class WarpnoiseShot:
    """Reads the frames of a job folder that the Blender extension made.

    Outputs, all (frames, height, width, 3) in [0, 1] but flow and mask:

    - frames: what the viewer sees, the input of image to image.
    - depth: inverse distance, near is white. normals: camera space. lines: outlines and creases. For ControlNets.
    - flow: displacement from each frame to the one before it in the shot, pixels, x right in red and y down in green;
      blue is 1 where it is known.
    - mask: (frames, height, width), 1 on the named objects; on every surface if none is named.
    """

    CATEGORY = "Warpnoise"
    FUNCTION = "read"
    RETURN_TYPES = ("WARPNOISE_SHOT", "IMAGE", "IMAGE", "IMAGE", "IMAGE", "IMAGE", "MASK")
    RETURN_NAMES = ("shot", "frames", *GUIDES, "flow", "mask")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "job": ("STRING", {"default": "", "tooltip": "The job folder, with job.json, color/ and passes/"}),
                "frames": ("STRING", {"default": "ALL", "tooltip": "ALL, or frames as in 1-24, 1-49:4 or 7,9,20"}),
            },
            "optional": {
                "objects": ("STRING", {"default": "", "tooltip": "Names of objects for the mask, separated by commas"}),
            },
        }

    @classmethod
    def IS_CHANGED(cls, job: str, frames: str, objects: str = "") -> str:
        """A text that changes when the folder's files do, so that ComfyUI reads them again."""
        files = sorted(file for part in ("color", "passes") for file in Path(job, part).glob("*"))
        return " ".join(str(file.stat().st_mtime_ns) for file in (Path(job, "job.json"), *files) if file.is_file())

    def read(self, job: str, frames: str, objects: str = "") -> tuple[Any, ...]:
        from warpnoise.job import Shot, select_frames
        from warpnoise.motion import frames_and_motions
        from warpnoise.motion.frames import BACKGROUND
        from warpnoise.pipeline.guides import Guides
        from warpnoise.pipeline.read import read_picture

        shot = Shot.open(job)
        chosen = select_frames(shot.frames, frames)
        names = [name.strip() for name in objects.split(",") if name.strip()]
        guides = Guides(GUIDES)
        images: dict[str, list[torch.Tensor]] = {name: [] for name in ("frames", *GUIDES, "flow", "mask")}
        known: set[str] = set()
        for frame, motion in frames_and_motions(shot):
            guides.see(frame)
            known |= set(frame.manifest)
            if frame.number in chosen:
                images["frames"].append(read_picture(shot.color(frame.number)).image.movedim(0, -1))
                for name, picture in guides.of(frame).items():
                    images[name].append(picture.movedim(0, -1))
                images["flow"].append(_flow(motion, frame.surface.shape))
                surface = torch.from_numpy(frame.surface)
                wanted = [frame.manifest[name] for name in names if name in frame.manifest]
                shown = (
                    torch.isin(surface, torch.tensor(wanted, dtype=surface.dtype)) if names else surface != BACKGROUND
                )
                images["mask"].append(shown.float())
            if frame.number >= chosen[-1]:
                break
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(
                f"Warpnoise Shot: no frame shows an object {unknown[0]!r}. There are {', '.join(sorted(known))}"
            )
        return ChosenFrames(shot, tuple(chosen)), *(torch.stack(pictures) for pictures in images.values())


def _flow(motion: Any, size: tuple[int, ...]) -> torch.Tensor:
    """(h, w, 3): the displacement to the frame before, x and y in pixels, and 1 where it is known."""
    picture = torch.zeros(*size, 3)
    if motion is not None:
        backward = torch.as_tensor(motion.backward)
        known = torch.isfinite(backward).all(-1)
        picture[..., :2] = torch.where(known[..., None], backward, torch.zeros(()))
        picture[..., 2] = known.float()
    return picture
