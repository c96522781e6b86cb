"""What a frame is made of, as one digest: a later run keeps the frames whose digest is the same."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from warpnoise.job import Output, Settings, Shot
from warpnoise.noise import ALGORITHM_VERSION
from warpnoise.pipeline.inputs import InputDigests
from warpnoise.sdedit import ModelFolder
from warpnoise.sdedit.digest import digest_text
from warpnoise.sdedit.model_files import named_files

PIPELINE_VERSION = 1
"""To be raised when the same inputs make other motion or other pictures than before; the noise has its own."""


class FrameChain:
    """For each frame the digest of all that it is made of.

    That is its colour, the passes, cameras and objects of all frames up to it (the noise has come through them), the
    settings, the model and the versions of the method. Not the device, the precision or the batch: a job that goes on
    on another machine keeps its frames.

    Files are read when a digest is first asked for, so that a first run begins at once.
    """

    def __init__(self, job: Shot, settings: Settings, model: ModelFolder, inputs: InputDigests) -> None:
        """Raises MediaError: a file of the model cannot be read."""
        self._job = job
        self._inputs = inputs
        self._lock = threading.Lock()
        self._index = {info.frame: index for index, info in enumerate(job.info.frames)}
        start = digest_text(
            f"pipeline {PIPELINE_VERSION}",
            f"noise {ALGORITHM_VERSION}",
            f"model {model.digest_through(inputs.digest)}",
            f"settings {effective(settings, model).model_dump_json(exclude={'model'})}",
            *(f"file {inputs.digest(path)}" for path in named_files(settings)),
            f"size {job.scene.width} x {job.scene.height}",
        )
        self._links = [start]
        """Entry i + 1 is of the passes, cameras and objects of the frames up to number i."""

    def digest(self, frame: int) -> str:
        """The digest of one frame. May be called in any thread.

        Raises:
            MediaError: a file cannot be read.
            Cancelled: as ``InputDigests.digest``.
        """
        with self._lock:
            index = self._index[frame]
            for info in self._job.info.frames[len(self._links) - 1 : index + 1]:
                passes = self._inputs.digest(self._job.passes(info.frame))
                self._links.append(digest_text(self._links[-1], info.model_dump_json(), passes))
            return digest_text(self._links[index + 1], self._inputs.digest(self._job.color(frame)))

    def unfinished(self, frames: Sequence[int], output: Output) -> list[int]:
        """Those of ``frames`` that must be made, in order: not in ``output``, or with a digest that has changed.

        Raises:
            MediaError: a file cannot be read.
            Cancelled: as ``InputDigests.digest``.
        """
        job, recorded = self._job, output.digests()
        made = [frame for frame in frames if recorded.get(frame) is not None and output.picture(frame).is_file()]
        if made:
            before = job.frames[: self._index[made[-1]] + 1]
            self._inputs.read_all([*map(job.passes, before), *map(job.color, made)])
        kept = {frame for frame in made if recorded.get(frame) == self.digest(frame)}
        return [frame for frame in frames if frame not in kept]

    def all_finished(self) -> bool:
        """Whether no frame of the job is left to be made. Looks no further than the first one.

        Raises:
            MediaError: a file cannot be read.
            Cancelled: as ``InputDigests.digest``.
        """
        job, output = self._job, self._job.output()
        recorded = output.digests()
        digests = {frame: recorded.get(frame) for frame in job.frames}
        if len(self._index) < len(digests) or None in digests.values():
            return False
        return all(output.picture(frame).is_file() and digests[frame] == self.digest(frame) for frame in job.frames)


def effective(settings: Settings, model: ModelFolder) -> Settings:
    """Equal settings for equal pictures: what has no effect is left out, what stands for a default is written out."""
    changes: dict[str, object] = {
        "guidance": model.guidance_for(settings),
        "steps": model.steps_for(settings),
        "texture": model.texture_for(settings),
        "sampler": model.sampler_for(settings),
    }
    if model.styles:
        changes["style"] = settings.style or model.styles[0]
    if not model.takes_prompt:
        changes.update(prompt="", negative_prompt="")
    return settings.updated(changes)
