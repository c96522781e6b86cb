"""Frames through the model, a constant number at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import torch

from warpnoise.errors import ModelError
from warpnoise.job import Settings
from warpnoise.pipeline.frames import Prepared
from warpnoise.sdedit import Editor


def batched(items: Iterable[Prepared], size: int) -> Iterator[list[Prepared]]:
    """Lists of ``size`` items, the last one shorter."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


class BatchEditor:
    """Runs a model on groups of frames.

    A short group is filled up with copies of its last frame: kernels are chosen by the batch's size and differ in
    rounding, so that otherwise a frame's bits would depend on how many came with it. When the device's memory is too
    small, the size is halved, once and for all.
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

    def edit(self, group: Sequence[Prepared]) -> Iterator[torch.Tensor]:
        """(3, h, w) float32 in [0, 1] for each frame of the group, on the model's device.

        Raises:
            ModelError: not even one frame fits into the device's memory; the model returned NaN.
            Cancelled: as ``Editor.edit``.
        """
        done = 0
        while done < len(group):
            part = group[done : done + self._size]
            try:
                images = self._edit_full(part)
            except torch.cuda.OutOfMemoryError as error:
                self._shrink(part[0], error)
                continue
            yield from images[: len(part)]
            done += len(part)

    def _edit_full(self, part: Sequence[Prepared]) -> torch.Tensor:
        full = [*part, *[part[-1]] * (self._size - len(part))]
        return self._editor.edit(
            torch.stack([frame.picture.image for frame in full]),
            lambda index: torch.stack([frame.noise[index] for frame in full]),
            self._settings,
            on_step=self._on_step,
            cancelled=self._cancelled,
        )

    def _shrink(self, frame: Prepared, error: BaseException) -> None:
        torch.cuda.empty_cache()
        height, width = frame.picture.image.shape[-2:]
        if self._size == 1:
            raise ModelError(
                f"{self._editor.device} has too little memory for one frame of {width} x {height} pixels: "
                "render smaller frames, close other programs that use it, or choose the device cpu"
            ) from error
        self._size //= 2
        self._warn(f"The device's memory was too small; {self._size} frame(s) are computed at a time.")
