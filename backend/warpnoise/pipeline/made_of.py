"""Digests everything that determines a frame, finds the unfinished frames, and names the result."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from warpnoise.coherence.presets import PRESETS
from warpnoise.hashing import digest_text, file_sha256
from warpnoise.job import ModelInfo, Result, Settings, Shot
from warpnoise.job.animation import PROMPTS
from warpnoise.job.digest_cache import DigestCache
from warpnoise.noise import ALGORITHM_VERSION, NOISE_METHODS
from warpnoise.pipeline.plan import Plan
from warpnoise.sdedit import ModelFolder
from warpnoise.sdedit.check import unused_settings
from warpnoise.sdedit.model_files import named_files

COHERENCE_VERSION = 4
"""Bump when the same inputs are drawn toward other key frames or other colours."""
PIPELINE_VERSION = 2
"""Bump when the same inputs make other motion or other pictures than before; the noise has its own version."""


class MadeOf:
    """For each frame the digest of all inputs: its colour; passes, cameras and objects of all frames up to it, through
    which the noise comes; the frame's settings, the model and the versions of the method.

    The device, the precision and the batch are left out: a run that continues on another machine keeps its frames.
    Each file is digested when a frame first needs it, and never again: use a new one for files that may have changed.
    """

    def __init__(
        self,
        shot: Shot,
        settings: Settings,
        model: ModelInfo,
        digests: DigestCache,
        plan: Plan | None = None,
        preview_of: Sequence[int] | None = None,
    ) -> None:
        """``settings``: the effective ones. ``plan``: of the key frames, where anything is carried. ``preview_of``: the
        finished frames that a preview is drawn toward."""
        self._shot = shot
        self._digests = digests
        self._settings = settings
        self._index = {info.frame: index for index, info in enumerate(shot.info.frames)}
        start = digest_text(
            f"pipeline {PIPELINE_VERSION}",
            f"noise {ALGORITHM_VERSION}",
            f"model {model.digest}",
            *(f"file {digests.digest(path)}" for path in named_files(settings)),
            f"size {shot.scene.width} x {shot.scene.height}",
            *(() if plan is None else (f"coherence {COHERENCE_VERSION}", *self._painted(plan))),
        )
        self._plan, self._preview_of = plan, preview_of
        self.painted: frozenset[int] = frozenset(() if plan is None else plan.painted)
        self._known: dict[int, str] = {}
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
        for each in [frame] if self._plan is None else self._plan.in_order(frame):
            if each not in self._known:
                self._known[each] = self._digest(each)
        return self._known[frame]

    def _digest(self, frame: int) -> str:
        self.follow(frame)
        own = (
            self._links[self._index[frame] + 1],
            f"settings {canonical(self._settings, frame)}",
            self._digests.digest(self._shot.color(frame)),
        )
        if self._plan is None:
            return digest_text(*own)
        if self._preview_of is not None:
            return digest_text(*own, f"preview, drawn toward {self._preview_of}")
        # What it is drawn toward: the key frame before a key frame, which stands for all before; the frame before
        # within a segment; the next key frame.
        return digest_text(*own, *(self._known[each] for each in self._plan.drawn_toward(frame)))

    def _painted(self, plan: Plan) -> Iterator[str]:
        """They are carried to every frame, so everything up to the last of them counts."""
        for frame, path in plan.painted.items():
            yield f"key picture {frame} {self._digests.digest(path)}"
            passes = self._shot.frames[: self._shot.frames.index(frame) + 1]
            yield from (self._digests.digest(self._shot.passes(each)) for each in passes)


def effective(settings: Settings, model: ModelFolder) -> Settings:
    """Settings that are equal for equal pictures: null is resolved, and settings that the model lacks are dropped."""
    changes: dict[str, object] = {
        "guidance": model.guidance_for(settings),
        "steps": model.steps_for(settings),
        "texture": model.texture_for(settings),
        "sampler": model.sampler_for(settings),
    }
    if model.styles:
        changes["style"] = settings.style or model.styles[0]
    changes.update(_strengths(settings, model))
    if not model.takes_prompt:
        keys = tuple(key for key in settings.model_dump()["animation"] if key["data_path"] not in PROMPTS)
        changes.update(prompt="", negative_prompt="", animation=keys)
    return settings.updated(changes)


def _strengths(settings: Settings, model: ModelFolder) -> dict[str, object]:
    """The preset's strengths where none are given; if nothing acts, as if nothing was ever set.

    "auto" is "balanced", for pixel and latent models alike: the measurements chose it for both. It is "off" with noise
    methods that are for comparison, because it would hide how they flicker.
    """
    automatic = "balanced" if settings.noise == NOISE_METHODS[0] else "off"
    preset = PRESETS[automatic if settings.coherence == "auto" else settings.coherence]
    chosen = {
        name: preset_s if (own := getattr(settings, name)) is None else own for name, preset_s in asdict(preset).items()
    }
    if "attention" in unused_settings(model) or settings.controls:  # a ControlNet's guide is one frame's
        chosen["attention"] = 0.0
    if not any(chosen[name] for name in ("pull", "accumulation", "attention")):
        return {"coherence": "off"} | dict.fromkeys(chosen)
    name = next((name for name, strengths in PRESETS.items() if asdict(strengths) == chosen), "balanced")
    return {"coherence": name} | chosen


def canonical(settings: Settings, frame: int | None = None) -> str:
    """The settings but the model as JSON with sorted keys, without those at their default: a setting that a later
    version adds leaves the text as it is. ``frame``: only what they are at that frame."""
    chosen = settings if frame is None else settings.at(frame)
    content = chosen.model_dump(mode="json", exclude={"model"}, exclude_defaults=True)
    if content.pop("coherence", "off") != "off":  # as when "off" was the default: results from then are still valid
        content["coherence"] = "balanced"  # its strengths say the rest
    if chosen is not settings:
        content["over_time"] = [chosen.blends, chosen.largest("strength")]  # these decide a frame's pixels, too
    return json.dumps(content, sort_keys=True)


def result_name(settings: Settings, model: ModelInfo) -> str:
    """``ink-3f9a21c0``: the style or the model, and 8 hexadecimal digits of SHA-256 of the effective settings and of
    the model's digest."""
    word = re.sub(r"[^a-z0-9]+", "-", (settings.style or Path(model.name).name).lower()).strip("-")[:40] or "result"
    digest = hashlib.sha256(f"{canonical(settings)}\n{model.digest}".encode()).hexdigest()
    return f"{word}-{digest[:8]}"


def unfinished(
    shot: Shot, result: Result, frames: Sequence[int], made_of: MadeOf, digests: DigestCache, *, preview: bool = False
) -> list[int]:
    """Those of ``frames`` that must be made, in order: inputs or settings have changed since, or the picture is not the
    one that was written. Reads no input of a frame without a record, so that a first run begins at once.

    Args:
        preview: whether a frame that a preview made is finished.

    Raises:
        MediaError: an input cannot be read.
        Cancelled: as ``DigestCache.digest``.
    """
    made = [frame for frame in frames if result.frame(frame).is_file() and result.record(result.frame(frame))]
    if made:
        before = shot.frames[: shot.frames.index(made[-1]) + 1]
        digests.digest_all([*map(shot.passes, before), *map(shot.color, made)])
        digests.digest_all(map(result.frame, made), file_sha256)
    finished = {
        frame
        for frame in made
        if result.is_finished(
            result.frame(frame),
            made_of.digest(frame),
            preview=preview,
            sha256=lambda path: digests.digest(path, file_sha256),
        )
    }
    return [frame for frame in frames if frame not in finished]


def all_recorded(shot: Shot, result: Result) -> bool:
    """Whether each frame of the shot has a record that is no preview's; a quick look before ``unfinished``."""
    return len(shot.info.frames) == len(shot.frames) and all(
        record is not None and not record.preview for record in map(result.record, map(result.frame, shot.frames))
    )
