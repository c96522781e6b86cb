"""Key frames, chosen from the motion alone: the first, then each frame that shows much for the first time."""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np

from warpnoise.coherence.anchor import Anchor, Seen, Surfaces
from warpnoise.noise import Motion

MOST_ANCHORS = 6
"""Key frames carried at a time. One more replaces the one that shows least of the current frame."""
LOOK_AHEAD = 8
"""A key frame is carried back to so many frames before it, with falling weight, so that nothing pops up at it."""
_SEAM_PX = 5


class KeyFrames:
    """Goes through a shot frame by frame, chooses key frames, and tracks them.

    Args:
        share: a frame becomes a key frame if more than this share of it shows surfaces that no key frame has shown.
        given: frames that are always key frames, because a user has painted them.
    """

    def __init__(self, share: float, given: Collection[int] = ()) -> None:
        self._share, self._given = share, given
        self._anchors: list[Anchor] = []
        self.new_share = 1.0
        """Of the newest frame: the share of the picture that no earlier key frame shows."""

    @property
    def live(self) -> tuple[int, ...]:
        """The numbers of the tracked key frames."""
        return tuple(anchor.number for anchor in self._anchors)

    def see(self, frame: int, motion: Motion | None, shown: Surfaces) -> tuple[bool, list[Seen]]:
        """The next frame: whether it is a key frame, and its positions in the key frames before it.

        Args:
            motion: from the frame before; None: a cut, all key frames are dropped.
        """
        if motion is None:
            self._anchors.clear()
        for anchor in self._anchors:
            anchor.advance(motion, shown)  # type: ignore[arg-type]
        seen = [anchor.seen() for anchor in self._anchors]
        self.new_share = _new_share(seen, shown.size)
        is_key = not self._anchors or frame in self._given or self.new_share > self._share
        if is_key:
            if len(self._anchors) == MOST_ANCHORS:
                least = min(range(len(seen)), key=lambda index: float(seen[index].trust.mean()))
                del self._anchors[least]
            self._anchors.append(Anchor(frame, shown))
        return is_key, seen


def _new_share(seen: list[Seen], size: tuple[int, int]) -> float:
    """The share of the picture that no anchor shows. Narrow seams do not count: silhouettes always have some."""
    unseen = np.ones(size, np.uint8)
    for each in seen:
        unseen[each.covered] = 0
    return float(cv2.morphologyEx(unseen, cv2.MORPH_OPEN, np.ones((_SEAM_PX, _SEAM_PX), np.uint8)).mean())
