"""A plane that moves in known ways: its motions, and the covariances of its noise.

way = WAYS["turn"](64)                     # 64 x 64 pixels
noise.advance(way.motion(0, 1))
value, error = fidelity(noise.frame(), first, way.covariance(1, 0))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from warpnoise.noise import Motion, NoiseMethod, WarpedNoise

Array = npt.NDArray[np.float64]
Place = Callable[[float, Array, Array], tuple[Array, Array]]

SUBPIXELS = 8  # on a pixel's side, for areas


@dataclass(frozen=True)
class Way:
    """The motion of a plane, whose points are named by their places in frame 0.

    Args:
        size: of the square frame, pixels; points are measured from its corner.
        place: (t, u, v) -> the places, in frame t, of the points (u, v) of frame 0.
        origin: (t, x, y) -> the inverse of ``place``.
    """

    size: int
    place: Place
    origin: Place

    def motion(self, old: float, new: float, size: int | None = None) -> Motion:
        """The motion between two frames, on a grid of ``size`` pixels."""
        size = size or self.size
        ratio = self.size / size
        y, x = (np.mgrid[:size, :size] + 0.5) * ratio
        ways = []
        for here, there in ((old, new), (new, old)):
            x1, y1 = self.place(there, *self.origin(here, x, y))
            ways.append((np.stack([x1 - x, y1 - y], axis=-1) / ratio).astype(np.float32))
        return Motion(*ways)

    def covariance(self, t: int, s: int, *, entered_since: int | None = None) -> Tensor:
        """C, sparse (pixels of frame t, pixels of frame s): the area that two pixels have in common.

        Only points that are in the frame from s to t count. Where a motion magnifies the surface, it is the geometric
        mean of the common areas in both frames.

        Args:
            entered_since: only pixels of frame s that show no point of this frame.
        """
        # The points are spread over the frame that shows less of the surface, so that all pairs have many.
        x, y = self._points()
        here, there = (t, s) if self._magnification(t, s, x, y).mean() < 1 else (s, t)
        u, v = self.origin(here, x, y)
        seen = np.logical_and.reduce([self._inside(*self.place(r, u, v)) for r in range(s, t + 1)])
        x, y, u, v = x[seen], y[seen], u[seen], v[seen]
        common = np.sqrt(self._magnification(here, there, x, y)) / SUBPIXELS**2
        i, j = (self._pixel(*self.place(frame, u, v)) for frame in (t, s))
        if entered_since is not None:
            x, y = self._points()
            known = self._pixel(x, y)[self._inside(*self.place(entered_since, *self.origin(s, x, y)))]
            entered = ~np.isin(j, known)
            i, j, common = i[entered], j[entered], common[entered]
        pixels = self.size**2
        indices = torch.from_numpy(np.stack([i, j]))
        return torch.sparse_coo_tensor(
            indices, torch.from_numpy(common), (pixels, pixels), check_invariants=True
        ).coalesce()

    def _magnification(self, here: float, there: float, x: Array, y: Array) -> Array:
        """The factor of areas at points of one frame from there to another: the Jacobian's determinant."""
        step = 1e-3
        (x0, y0), (right_x, right_y), (below_x, below_y) = (
            self.place(there, *self.origin(here, x + dx, y + dy)) for dx, dy in ((0, 0), (step, 0), (0, step))
        )
        return np.abs((right_x - x0) * (below_y - y0) - (right_y - y0) * (below_x - x0)) / step**2

    def _points(self) -> tuple[Array, Array]:
        """Points spread over the frame. They are jittered, as all areas would have the same error on a regular grid."""
        count = self.size * SUBPIXELS
        jitter = np.random.default_rng(0).random((2, count * count))
        y, x = (np.mgrid[:count, :count].reshape(2, -1) + jitter) / SUBPIXELS
        return x, y

    def _inside(self, x: Array, y: Array) -> npt.NDArray[np.bool_]:
        return (x >= 0) & (x < self.size) & (y >= 0) & (y < self.size)

    def _pixel(self, x: Array, y: Array) -> npt.NDArray[np.int64]:
        return y.astype(np.int64) * self.size + x.astype(np.int64)


def fidelity(now: Tensor, then: Tensor, covariance: Tensor) -> tuple[float, float]:
    """sum C <n_t n_s> / sum C^2, with the mean over channels, and its standard error. 1 is exact.

    Args:
        now, then: (channels, height, width), with independent channels.
        covariance: C, sparse (height * width, height * width).
    """
    expected = torch.sparse.mm(covariance, then.flatten(1).double().T)
    each = (expected * now.flatten(1).double().T).sum(dim=0) / (covariance.values() ** 2).sum()
    return each.mean().item(), each.std().item() / len(each) ** 0.5


def all_maps(noise: NoiseMethod) -> Tensor:
    """The noise of all maps, (maps * channels, height, width)."""
    return torch.cat([noise.frame(map_) for map_ in range(noise.maps)])


def count(noise: WarpedNoise, state: int) -> int:
    """The number of particles in a state: VISIBLE or OCCLUDED."""
    return noise._table.number_of(state)


def _linear(size: int, matrix: Callable[[float], Array]) -> Way:
    """A linear or projective motion about the middle of the frame: ``matrix(t)`` is (3, 3)."""
    middle = size / 2

    def apply(m: Array, x: Array, y: Array) -> tuple[Array, Array]:
        x, y = x - middle, y - middle
        w = m[2, 0] * x + m[2, 1] * y + m[2, 2]
        return (
            (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / w + middle,
            (m[1, 0] * x + m[1, 1] * y + m[1, 2]) / w + middle,
        )

    return Way(
        size,
        lambda t, u, v: apply(matrix(t), u, v),
        lambda t, x, y: apply(np.asarray(np.linalg.inv(matrix(t)), np.float64), x, y),
    )


def _scaled(factor: float) -> Array:
    return np.diag([factor, factor, 1.0])


def _turned(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def pan(x: float, y: float) -> Callable[[int], Way]:
    """A pan by (x, y) pixels per frame."""
    return lambda size: _linear(size, lambda t: np.array([[1, 0, x * t], [0, 1, y * t], [0, 0, 1.0]]))


def _orbit(size: int) -> Way:
    """A camera that orbits above a floor by a degree per frame, and looks down at a slant."""
    tilt = np.array([[1, 0, 0], [0, 0.8, 0], [0, 0.35 / size, 1.0]])
    return _linear(size, lambda t: tilt @ _turned(np.radians(t)) @ np.linalg.inv(tilt))


def _swirl(size: int) -> Way:
    """A turn by a degree per frame in the middle, and by less farther away."""
    middle = size / 2

    def turn(t: float, x: Array, y: Array) -> tuple[Array, Array]:
        x, y = x - middle, y - middle
        angle = np.radians(t) * np.exp(-(x * x + y * y) / middle**2)
        c, s = np.cos(angle), np.sin(angle)
        return c * x - s * y + middle, s * x + c * y + middle

    return Way(size, turn, lambda t, x, y: turn(-t, x, y))


WAYS: dict[str, Callable[[int], Way]] = {
    "still": pan(0, 0),
    "pan": pan(0.37, 0.21),
    "turn": lambda size: _linear(size, lambda t: _turned(np.radians(t))),
    "zoom in": lambda size: _linear(size, lambda t: _scaled(1.01**t)),
    "zoom out": lambda size: _linear(size, lambda t: _scaled(1.01**-t)),
    "shear": lambda size: _linear(size, lambda t: np.array([[1, 0.005 * t, 0], [0, 1, 0], [0, 0, 1.0]])),
    "swirl": _swirl,
    "orbit": _orbit,
}
