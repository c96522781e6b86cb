"""The third stage: sends frames through the model, in batches of constant size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, takewhile
from typing import Any

import torch

from warpnoise.job import Settings
from warpnoise.pipeline.carry import GridPlace, NoisyFrame
from warpnoise.pipeline.read import Wanted
from warpnoise.sdedit.device import free_unused, is_out_of_memory
from warpnoise.sdedit.editor import Editor
from warpnoise.sdedit.key_attention import KeyFrame
from warpnoise.sdedit.pull import Pull

Slots = Sequence[NoisyFrame | None]
"""A batch: each frame in the place that the shot gives it, None where that frame is not wanted."""


@dataclass(frozen=True)
class EditedFrame:
    """A frame after the model. ``image``: (3, h, w) float32 in [0, 1], on the model's device."""

    frame: int
    source: Wanted
    image: torch.Tensor


def places(frames: Iterable[int], shot: Sequence[int], size: int) -> list[dict[int, int]]:
    """The frames in batches of ``size`` places: for each batch its frames' numbers and their places.

    Counted from the shot's start: number i of the shot has place i % size of batch i // size, whichever are wanted.
    """
    index = {frame: number for number, frame in enumerate(shot)}
    groups = groupby(frames, key=lambda frame: index[frame] // size)
    return [{frame: index[frame] % size for frame in group} for _, group in groups]


def batched(
    items: Iterable[NoisyFrame], batches: Iterable[dict[int, int]], shot: Sequence[int], size: int
) -> Iterator[tuple[Slots, Sequence[int]]]:
    """The items, which are the batches' frames in order, in their places, and the frames that the shot has there."""
    iterator = iter(items)
    for batch in batches:
        slots: list[NoisyFrame | None] = [None] * size
        for item in islice(iterator, len(batch)):
            slots[batch[item.frame]] = item
        frame, place = next(iter(batch.items()))
        begin = shot.index(frame) - place
        yield slots, shot[begin : begin + size]


class BatchEditor:
    """Runs a model on batches of frames.

    Empty places are filled with copies: kernels are chosen by the batch's size and share its places out to threads, and
    differ in rounding, so that otherwise a frame's bits would depend on which frames were computed with it. When the
    device's memory is too small, the size is halved, and at last the editor saves memory, once and for all.

    Where settings change over the shot, a batch is split into runs of frames with the same ones. Where it is split
    follows from the shot, not from which frames are wanted.
    """

    def __init__(
        self,
        editor: Editor,
        settings: Settings,
        size: int,
        on_step: Callable[[int, int], None],
        warn: Callable[[str], None],
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._editor = editor
        self._settings = settings
        self._size = size
        self._on_step = on_step
        self._warn = warn
        self._cancelled = cancelled
        self._held: dict[str, Any] = {}
        """What holds the frame that is edited to others: keywords of ``Editor.edit``."""

    def key_frame(self, frame: NoisyFrame, noise: torch.Tensor, picture: torch.Tensor, strength: float) -> KeyFrame:
        """A finished key frame that other frames attend to.

        Args:
            noise: (channels, height, width), map 0 of the frame.
            picture: (3, h, w) float32 in [0, 1].
        """
        place = GridPlace(self._editor, self._settings, [frame.shift])
        return KeyFrame(place.pictures([picture]), place.noise([noise], 0), strength)

    def edit_one(self, frame: NoisyFrame, pull: Pull | None, key: KeyFrame | None = None) -> EditedFrame:
        """Edits one frame in a batch of one, drawn toward a target, (1, 3, h, w). Raises as ``edit``."""
        self._held = {name: value for name, value in (("pull", pull), ("key", key)) if value is not None}
        (edited,) = self.edit([frame], [frame.frame])
        return edited

    def edit(self, slots: Slots, numbers: Sequence[int]) -> Iterator[EditedFrame]:
        """Each frame of the batch, edited. ``numbers``: of the frames of the shot in these places.

        Raises:
            ModelError: not even one frame fits into the device's memory; the model returned NaN.
            Cancelled: as ``Editor.edit``.
        """
        done = 0
        while done < len(slots):
            settings, size = self._alike(numbers[done : done + self._size])
            part = slots[done : done + size]
            present = [frame for frame in part if frame is not None]
            if present:
                try:
                    images = self._edit_sizes(part, size, settings)
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                    self._shrink(present[0])
                    continue
                finally:
                    for warning in self._editor.take_warnings():
                        self._warn(warning)
                for noisy in present:
                    noisy.noise.drop()
                    yield EditedFrame(noisy.frame, noisy.source, images[noisy.frame])
            done += size

    def _alike(self, numbers: Sequence[int]) -> tuple[Settings, int]:
        """The settings of the first of these frames, and how many places are edited with them."""
        if not self._settings.animation or not numbers:
            return self._settings, self._size
        alike = list(takewhile(self._settings.at(numbers[0]).__eq__, map(self._settings.at, numbers)))
        return alike[0], self._size if len(alike) == len(numbers) else len(alike)

    def _edit_sizes(self, part: Slots, size: int, settings: Settings) -> dict[int, torch.Tensor]:
        """Each frame's picture. Where phase lock begins within the batch, it is two batches, of two sizes."""
        images: dict[int, torch.Tensor] = {}
        for locked in (False, True):
            alike = [frame if frame is not None and (frame.shift is not None) == locked else None for frame in part]
            present = [frame for frame in alike if frame is not None]
            if present:
                edited = self._edit_full(alike, present[-1], size, settings)
                images |= {frame.frame: image for frame, image in zip(alike, edited, strict=False) if frame is not None}
        return images

    def _edit_full(self, part: Slots, filling: NoisyFrame, size: int, settings: Settings) -> torch.Tensor:
        full = [frame or filling for frame in [*part, *[None] * (size - len(part))]]
        place = GridPlace(self._editor, settings, [frame.shift for frame in full])
        geometry = [frame.source.geometry for frame in full if frame.source.geometry is not None]
        held = dict(self._held)
        if pull := held.get("pull"):
            held["pull"] = Pull(place.pictures([*pull.target]), place.pictures([*pull.weight]))
        edited = self._editor.edit(
            place.pictures([frame.source.picture.image for frame in full]),
            lambda index: place.noise([frame.noise(index) for frame in full], index),
            settings,
            geometry=place.pictures(geometry) if geometry else None,
            guides={
                name: place.pictures([frame.source.guides[name] for frame in full]) for name in filling.source.guides
            },
            on_step=self._on_step,
            cancelled=self._cancelled,
            **held,
        )
        return place.cut(edited, filling.source.picture.image.shape[-2:])

    def _shrink(self, frame: NoisyFrame) -> None:
        free_unused(self._editor.device)
        if self._size == 1:
            height, width = frame.source.picture.image.shape[-2:]
            self._warn(self._editor.save_memory(height, width))
            return
        self._size //= 2
        self._warn(f"The device's memory was too small; {self._size} frame(s) are computed at a time.")
