"""What a frame is made of, as one digest, and what a set of settings makes of a shot, as a name."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from warpnoise.hashing import digest_text
from warpnoise.job import ModelInfo, Settings, Shot
from warpnoise.job.digest_cache import DigestCache
from warpnoise.noise import ALGORITHM_VERSION
from warpnoise.sdedit import ModelFolder
from warpnoise.sdedit.model_files import named_files

PIPELINE_VERSION = 2
"""Bump when the same inputs make other motion or other pictures than before; the noise has its own version."""


class MadeOf:
    """For each frame the digest of all inputs: its colour; passes, cameras and objects of all frames up to it, through
    which the noise comes; the settings, the model and the versions of the method.

    The device, the precision and the batch are left out: a run that continues on another machine keeps its frames.
    Each file is digested when a frame first needs it, and never again: use a new one for files that may have changed.
    """

    def __init__(self, shot: Shot, settings: Settings, model: ModelInfo, digests: DigestCache) -> None:
        """``settings``: the effective ones."""
        self._shot = shot
        self._digests = digests
        self._index = {info.frame: index for index, info in enumerate(shot.info.frames)}
        start = digest_text(
            f"pipeline {PIPELINE_VERSION}",
            f"noise {ALGORITHM_VERSION}",
            f"model {model.digest}",
            f"settings {canonical(settings)}",
            *(f"file {digests.digest(path)}" for path in named_files(settings)),
            f"size {shot.scene.width} x {shot.scene.height}",
        )
        self._links = [start]
        """Entry i + 1 is of the passes, cameras and objects of the frames up to number i."""

    def follow(self, frame: int) -> None:
        """Digests the passes of all frames up to ``frame`` that are not digested yet. Raises as ``digest``."""
        for info in self._shot.info.frames[len(self._links) - 1 : self._index[frame] + 1]:
            passes = self._digests.digest(self._shot.passes(info.frame))
            self._links.append(digest_text(self._links[-1], info.model_dump_json(), passes))

    def digest(self, frame: int) -> str:
        """The digest of one frame.

        Raises:
            MediaError: a file cannot be read.
            Cancelled: as ``DigestCache.digest``.
        """
        self.follow(frame)
        return digest_text(self._links[self._index[frame] + 1], self._digests.digest(self._shot.color(frame)))


def effective(settings: Settings, model: ModelFolder) -> Settings:
    """Equal settings for equal pictures: null becomes what it stands for, what this model does not take is dropped."""
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


def canonical(settings: Settings) -> str:
    """The settings but the model as JSON with sorted keys, without those at their default: a setting that a later
    version adds leaves the text as it is."""
    return json.dumps(settings.model_dump(mode="json", exclude={"model"}, exclude_defaults=True), sort_keys=True)


def result_name(settings: Settings, model: ModelInfo) -> str:
    """``ink-3f9a21c0``: the style or the model, and 8 hexadecimal digits of SHA-256 of the effective settings and of
    the model's digest."""
    word = re.sub(r"[^a-z0-9]+", "-", (settings.style or Path(model.name).name).lower()).strip("-")[:40] or "result"
    digest = hashlib.sha256(f"{canonical(settings)}\n{model.digest}".encode()).hexdigest()
    return f"{word}-{digest[:8]}"
