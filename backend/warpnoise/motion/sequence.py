"""The motion of a job, frame by frame."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from warpnoise.job import Shot
from warpnoise.motion.frames import BACKGROUND, Flow, Frame, read_frame
from warpnoise.motion.lens import LensCorrection
from warpnoise.motion.rigid import Prediction, Rigidity, RigidTransforms, predict, rigid_transforms
from warpnoise.noise import Motion

_NAMES = 5
"""A message lists at most this many names."""

log = logging.getLogger(__name__)


def motions(job: Shot, *, warn: Callable[[str], None] = log.warning) -> Iterator[tuple[int, Motion | None]]:
    """Yield each frame's number, with the motion from the previous frame, which is None for the first frame.

    Reads one file for each frame, when it is needed. Across a cut, the flow is unknown.

    Args:
        job: the job folder.
        warn: receives one message for each kind of fault in the frames that does not prevent the motion.

    Raises:
        JobError: a frame's passes and the job differ in size.
        MediaError: a frame's passes are missing or cannot be read.
    """
    return ((frame.number, motion) for frame, motion in frames_and_motions(job, warn=warn))


def frames_and_motions(
    job: Shot, *, warn: Callable[[str], None] = log.warning
) -> Iterator[tuple[Frame, Motion | None]]:
    """The frames of the job, each with the motion from the previous frame, which is None for the first.

    Reads one file for each frame, when it is needed, and keeps two frames in memory.

    - Visible surfaces move by Cycles' Vector pass, corrected for its lens (``warpnoise.motion.lens``).
    - The background, for which Cycles writes 0, moves as the camera turns.
    - Rigid surfaces get a transform if the flow agrees with it (``warpnoise.motion.rigid``). If vectors are averages
      over a pixel's samples, rigid surfaces move by their transforms.
    - Flow is unknown, NaN, across a cut and for objects whose topology has changed.

    Args:
        warn: receives one message for each kind of fault in the frames that does not prevent the motion.

    Raises:
        JobError: a frame's passes and the job differ in size.
        MediaError: a frame's passes are missing or cannot be read.
    """
    notices = _Notices(warn)
    lens, rigidity = LensCorrection(warn), Rigidity(job.scene.averaged_vectors)
    old: Frame | None = None
    for state in job.states():
        new = read_frame(job, state, notices.unknown_vectors)
        notices.unknown_motion(new)
        yield new, None if old is None else _motion(old, new, lens, rigidity)
        old = new


@dataclass
class _Notices:
    """Warns once for each kind of fault: hundreds of messages would hide the others."""

    warn: Callable[[str], None]
    _warned: bool = field(default=False, init=False)
    _warned_of: set[str] = field(default_factory=set, init=False)

    def unknown_vectors(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            self.warn(f"{message} Later frames may have more of them.")

    def unknown_motion(self, frame: Frame) -> None:
        names = sorted(name for name in set(frame.unknown_motion) - self._warned_of if name in frame.manifest)
        self._warned_of.update(names)
        if names:
            self.warn(
                f"Frame {frame.number}: the topology of {', '.join(names[:_NAMES])}{' ...' * (len(names) > _NAMES)} "
                "changes. So the motion is unknown, and the noise is new in each such frame. If the geometry has a "
                "'velocity' attribute, its motion is known."
            )


def _motion(old: Frame, new: Frame, lens: LensCorrection, rigidity: Rigidity) -> Motion:
    unknown = _surfaces_without_motion(old, new)
    forward, backward = _with_unknown(old.to_next, old, unknown), _with_unknown(new.to_previous, new, unknown)
    confirmed = RigidTransforms({}, np.eye(4))
    if new.cut or _other_lens(old, new):
        forward, backward = np.full_like(forward, np.nan), np.full_like(backward, np.nan)
    elif old.camera is not None and new.camera is not None:
        transforms = rigid_transforms(old, new)
        predicted = predict(old.surface, old.depth, transforms)
        reverse = predict(new.surface, new.depth, transforms.inverse())
        forward = _with_background(lens.correct(forward, old.camera, new.camera, predicted), old, predicted.flow)
        backward = _with_background(lens.correct(backward, new.camera, old.camera, reverse), new, reverse.flow)
        # Again, because the correction replaces flow by that of the matrices where it has to.
        forward, backward = _with_unknown(forward, old, unknown), _with_unknown(backward, new, unknown)
        rigid = rigidity.confirm((forward, predicted), (backward, reverse)).difference(unknown)
        confirmed = RigidTransforms(
            {number: m for number, m in transforms.surfaces.items() if number in rigid}, transforms.still
        )
        if rigidity.averaged:  # at silhouettes, averaged vectors mix the motions of two surfaces
            forward, backward = (
                _by_matrices(forward, old, predicted, rigid),
                _by_matrices(backward, new, reverse, rigid),
            )
    return Motion(
        torch.from_numpy(forward),
        torch.from_numpy(backward),
        surface_old=torch.from_numpy(old.surface),
        surface_new=torch.from_numpy(new.surface),
        depth_old=torch.from_numpy(old.depth),
        depth_new=torch.from_numpy(new.depth),
        transforms=confirmed.surfaces,
    )


def _surfaces_without_motion(old: Frame, new: Frame) -> list[int]:
    """The surfaces that do not consist of the same points in both frames."""
    return [frame.manifest[name] for name in new.unknown_motion for frame in (old, new) if name in frame.manifest]


def _with_unknown(flow: Flow, frame: Frame, unknown: list[int]) -> Flow:
    return np.where(np.isin(frame.surface, unknown)[..., None], np.float32(np.nan), flow) if unknown else flow


def _by_matrices(flow: Flow, frame: Frame, predicted: Prediction, rigid: set[int]) -> Flow:
    known = np.isin(frame.surface, list(rigid)) & ~np.isnan(predicted.flow[..., 0])
    return np.where(known[..., None], predicted.flow, flow)


def _other_lens(old: Frame, new: Frame) -> bool:
    return old.camera is not None and new.camera is not None and old.camera.type != new.camera.type


def _with_background(flow: Flow, frame: Frame, predicted: Flow) -> Flow:
    background = frame.surface == BACKGROUND
    return np.where(background[..., None], predicted, flow)
