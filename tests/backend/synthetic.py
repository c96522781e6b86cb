"""A small scene ray-traced with numpy, and job folders of it with real EXR and PNG files, for all tests.

    job = synthetic.make_job(tmp_path / "job")                       # 4 frames of 32 x 32, about 0.1 s
    job = synthetic.make_job(path, frames=3, width=40, height=24, layout="single", settings=Settings(steps=2))

The scene: a patterned floor and a turning patterned ball before a background, seen by a camera that goes round.
Motion, depth and surfaces are analytic (float64), so that ``Scene.truth`` is what a test may compare with. Passes are
written as Cycles writes them: one part with all channels as Blender 4.2 does (``layout="single"``), or a part for each
pass as 5.0 does (``"multi"``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR
from warpnoise.job import Camera, Result, Settings, Shot
from warpnoise.job.schema import as_array, as_matrix
from warpnoise.media.png import write_png

Array = npt.NDArray[np.float64]

HASHES = {"Floor": 0x4159B52A, "Ball": 0xCB432898, "Elsewhere": 0x3D0A77F1}
"""Names and Cryptomatte hashes of the objects. ``Elsewhere`` is never in the picture."""
BACKGROUND_DEPTH = 1e10


@dataclass(frozen=True)
class Scene:
    """The scene at any time ``t`` (frames from the first; need not be whole)."""

    width: int = 32
    height: int = 32
    ortho: bool = False
    turn: float = 0.03
    """Radians that the camera goes round in a frame."""
    spin: float = 0.05
    """Radians that the ball turns in a frame."""
    zoom: float = 0.0
    """The focal length grows by this part in a frame."""
    shift: float = 0.0
    """Lens shift that grows by this in a frame, in widths of the picture."""
    cycles_lens: Callable[[Array, Array], Array] = field(default=lambda here, there: there)
    """The projection through which the renderer takes the other frame's position; the true one, or as Cycles does."""

    def camera(self, t: float) -> Camera:
        angle = 0.6 + self.turn * t
        eye = np.array([6 * np.sin(angle), -6 * np.cos(angle), 3.0])
        back = eye / np.linalg.norm(eye)
        right = np.cross([0, 0, 1], back)
        right /= np.linalg.norm(right)
        world = np.eye(4)
        world[:3, :4] = np.stack([right, np.cross(back, right), back, eye], axis=1)
        return Camera(type="ORTHO" if self.ortho else "PERSP", world=as_matrix(world), projection=self._projection(t))

    def objects(self, t: float) -> dict[str, Array]:
        """Object-to-world matrices. The ball turns about a leaning axis and rises."""
        axis = np.array([0.3, 0.2, 1.0]) / np.linalg.norm([0.3, 0.2, 1.0])
        cross = np.cross(np.eye(3), axis)
        ball, elsewhere = np.eye(4), np.eye(4)
        angle = self.spin * t
        ball[:3, :3] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        ball[:3, 3] = [0.2, 0, 1.1 + 0.02 * t]
        elsewhere[0, 3] = 1000 + t
        return {"Floor": np.eye(4), "Ball": ball, "Elsewhere": elsewhere}

    def hits(self, t: float) -> tuple[Array, Array, npt.NDArray[np.object_]]:
        """What each pixel's centre shows: points in their object's space (h, w, 3), the distance along the
        camera's axis (h, w), and the objects' names, "" for the background."""
        camera = self.camera(t)
        world, projection = as_array(camera.world), as_array(camera.projection)
        y, x = np.mgrid[: self.height, : self.width]
        ndc = np.stack([(x + 0.5) / self.width * 2 - 1, 1 - (y + 0.5) / self.height * 2], axis=-1)
        plane = (ndc - projection[:2, 3] if self.ortho else ndc + projection[:2, 2]) / np.diag(projection)[:2]
        zero, one = np.zeros_like(plane[..., :1]), np.ones_like(plane[..., :1])
        local = np.concatenate([plane, zero if self.ortho else -one], axis=-1)
        start = (local if self.ortho else np.zeros_like(local)) @ world[:3, :3].T + world[:3, 3]
        way = (np.concatenate([zero, zero, -one], axis=-1) if self.ortho else local) @ world[:3, :3].T
        depth = np.full((self.height, self.width), BACKGROUND_DEPTH)  # distances along `way` are along the axis
        points = np.zeros((self.height, self.width, 3))
        names = np.full((self.height, self.width), "", dtype=object)
        for name, matrix in self.objects(t).items():
            inverse = np.linalg.inv(matrix)
            o, d = start @ inverse[:3, :3].T + inverse[:3, 3], way @ inverse[:3, :3].T
            distance = _SHAPES[name](o, d)
            nearer = (distance > 0) & (distance < depth)
            depth[nearer] = distance[nearer]
            points[nearer] = (o + distance[..., None] * d)[nearer]
            names[nearer] = name
        return points, depth, names

    def truth(self, t: float, other: float, *, as_rendered: bool = False) -> Array:
        """Where what pixels show at time ``t`` is at time ``other``, minus where it is: (h, w, 2), x right, y down.

        The background is at infinity: NaN with an orthographic camera. ``as_rendered``: as the renderer has it, with 0
        for the background and through ``cycles_lens``.
        """
        points, _, names = self.hits(t)
        here, there = self.camera(t), self.camera(other)
        projection = as_array(there.projection)
        if as_rendered:
            projection = self.cycles_lens(as_array(here.projection), projection)
        y, x = np.mgrid[: self.height, : self.width].astype(np.float64)
        homogeneous = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
        for name, matrix in self.objects(other).items():
            homogeneous[names == name] = homogeneous[names == name] @ matrix.T
        away = names == ""
        homogeneous[away] = np.nan if self.ortho else self._directions(here)[away]
        clip = homogeneous @ (projection @ np.linalg.inv(as_array(there.world))).T
        ndc = clip[..., :2] / clip[..., 3:]
        moved = np.stack([(ndc[..., 0] + 1) / 2 * self.width - 0.5, (1 - ndc[..., 1]) / 2 * self.height - 0.5], axis=-1)
        motion = moved - np.stack([x, y], axis=-1)
        if as_rendered:
            motion[away] = 0
        return motion

    def picture(self, t: float, *, transparent: bool = False) -> npt.NDArray[np.uint16]:
        """What the viewer sees: patterns that stick to the surfaces; (h, w, 3 or 4) uint16."""
        points, _, names = self.hits(t)
        waves = 0.5 + 0.5 * np.sin(points @ np.array([[3.0, 1, 5], [2, -4, 3], [5, 3, -2]]))
        waves[names == "Ball"] *= [1.0, 0.6, 0.4]
        waves[names == ""] = [0.2, 0.3, 0.5]
        alpha = [(names != "").astype(float)] if transparent else []
        return np.round(np.dstack([waves, *alpha]) * 65535).astype(np.uint16)

    def planes(self, t: float) -> dict[str, npt.NDArray[np.float32]]:
        """The passes at time ``t`` by channel names without layer, as Cycles writes them."""
        _, depth, names = self.hits(t)
        before, after = (self.truth(t, other, as_rendered=True) for other in (t - 1, t + 1))
        hashes = np.zeros(depth.shape, dtype=np.uint32)
        for name, number in HASHES.items():
            hashes[names == name] = number
        covered = (names != "").astype(np.float32)
        color = self.picture(t)[..., :3] / 65535
        planes: dict[str, Any] = {
            "Depth.Z": depth,
            "Vector.X": before[..., 0],
            "Vector.Y": -before[..., 1],
            "Vector.Z": -after[..., 0],
            "Vector.W": after[..., 1],
            "CryptoObject00.r": hashes.view(np.float32),
            "CryptoObject00.g": covered,
            "CryptoObject00.b": np.zeros_like(covered),
            "CryptoObject00.a": np.zeros_like(covered),
            "Combined.R": color[..., 0],
            "Combined.G": color[..., 1],
            "Combined.B": color[..., 2],
            "Combined.A": covered,
        }
        return {name: np.ascontiguousarray(plane, dtype=np.float32) for name, plane in planes.items()}

    def _projection(self, t: float) -> tuple[Any, ...]:
        aspect = self.width / self.height
        shift = 2 * self.shift * t
        rows: list[list[float]]
        if self.ortho:
            scale = 2 / (7 * (1 - self.zoom * t))
            rows = [[scale, 0, 0, -shift], [0, scale * aspect, 0, 0], [0, 0, -0.02, -1], [0, 0, 0, 1]]
        else:
            focal = 1.6 * (1 + self.zoom * t)
            rows = [[focal, 0, shift, 0], [0, focal * aspect, 0, 0], [0, 0, -1.002, -0.2], [0, 0, -1, 0]]
        return as_matrix(rows)

    def _directions(self, camera: Camera) -> Array:
        """Points at infinity that the pixels look at, homogeneous: (h, w, 4)."""
        world, projection = as_array(camera.world), as_array(camera.projection)
        y, x = np.mgrid[: self.height, : self.width]
        ndc = np.stack([(x + 0.5) / self.width * 2 - 1, 1 - (y + 0.5) / self.height * 2], axis=-1)
        local = np.dstack([(ndc + projection[:2, 2]) / np.diag(projection)[:2], -np.ones(ndc.shape[:2])])
        return np.dstack([local @ world[:3, :3].T, np.zeros(ndc.shape[:2])])


def make_job(
    path: Path,
    *,
    frames: int = 4,
    width: int = 32,
    height: int = 32,
    scene: Scene | None = None,
    layout: str = "multi",
    frame_start: int = 1,
    transparent: bool = False,
    cuts: tuple[int, ...] = (),
    settings: Settings | None = None,
) -> Shot:
    """A job folder of ``scene``, by default ``Scene(width, height)``. File names, sizes and cameras are all real."""
    scene = scene or Scene(width, height)
    job_frames = range(frame_start, frame_start + frames)
    sources = path.with_name(f"{path.name}-sources")
    passes, color = [], []
    for t, frame in enumerate(job_frames):
        passes.append(sources / f"{frame}.exr")
        color.append(sources / f"{frame}.png")
        write_png(color[-1], scene.picture(t, transparent=transparent))
        write_passes(passes[-1], scene.planes(t), layout=layout)
    return Shot.create(
        path,
        passes=passes,
        color=color,
        frame_start=frame_start,
        cameras=[scene.camera(t) for t in range(frames)],
        objects=[scene.objects(t) for t in range(frames)],
        cuts=cuts,
        settings=settings or Settings(coherence="off"),
        transparent=transparent,
    )


def write_passes(
    path: Path,
    planes: Mapping[str, npt.NDArray[Any]],
    *,
    layout: str = "multi",
    layer: str = "ViewLayer",
    manifest: Mapping[str, int] = HASHES,
    codec: str = "ZIP",
) -> None:
    """Writes channels (names without layer) to a multilayer EXR as Blender 4.2 (``single``) or 5.0 (``multi``) does."""
    text = "{" + ",".join(f'"{name}":"{number:08x}"' for name, number in manifest.items()) + "}"
    header = {
        "compression": getattr(OpenEXR, f"{codec}_COMPRESSION"),
        "type": OpenEXR.scanlineimage,
    }
    crypto = {
        "cryptomatte/cb2b715/name": f"{layer}.CryptoObject",
        "cryptomatte/cb2b715/hash": "MurmurHash3_32",
        "cryptomatte/cb2b715/conversion": "uint32_to_float32",
        "cryptomatte/cb2b715/manifest": text,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {f"{layer}.{name}": plane for name, plane in planes.items()}
    if layout == "single":
        OpenEXR.File(header | crypto, named).write(str(path))
        return
    parts: dict[str, dict[str, Any]] = {}
    for name, plane in named.items():
        parts.setdefault(name.rpartition(".")[0], {})[name] = plane
    first = next(iter(parts))
    headers = {name: header | (crypto if name == first else {}) for name in parts}
    OpenEXR.File([OpenEXR.Part(headers[name], parts[name], name=name) for name in parts]).write(str(path))


def _floor(o: Array, d: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = -o[..., 2] / d[..., 2]
        point = o + distance[..., None] * d
    return np.where(np.abs(point[..., :2]).max(axis=-1) < 3, distance, np.inf)


def _ball(o: Array, d: Array) -> Array:
    a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
    root = b * b - a * c
    return np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)


_SHAPES = {"Floor": _floor, "Ball": _ball, "Elsewhere": _ball}


def current(shot: Shot) -> Result:
    """The result in use."""
    result = shot.current()
    assert result is not None, f"{shot.path} has no result in use"
    return result


def finished_frames(shot: Shot) -> list[int]:
    """The frames of the result in use whose picture is there."""
    result = shot.current()
    return [] if result is None else [frame for frame in shot.frames if result.frame(frame).is_file()]
