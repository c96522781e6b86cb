"""Training crops: random pieces of the rendered and painted pictures, with their conditioning: the frame and its
geometry.

A batch is a pure function of (seed, step).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import torch
from numpy.typing import NDArray
from warpnoise.compare.experiment.tasks import enlarged_again
from warpnoise.job import Camera
from warpnoise.motion import surface_geometry
from warpnoise.sdedit.folder_checks import GEOMETRY_CHANNELS

from training.network import NULL_CLASS
from training.paint_dataset import begin_painting, finished_views
from training.styles import STYLES

FORMAT = 5
HELD_OUT_EVERY = 25
"""Every 25th scene is never trained on."""

LEAST_CONTRAST = 4
"""Standard deviation, of 255, under which a view shows nothing: a camera inside of an object."""

# How many times the network's size a crop is taken at before it is scaled: strokes have a size, materials have many.
# Materials are mostly seen smaller than they were rendered: SDEdit at moderate strength adds what is finer than the
# noise, and so a brick that spans many pixels of the training crop is one that it can hardly add.
ZOOM = {"photoreal": (1.0, 2.0), "oil": (0.85, 1.25), "ink": (0.95, 1.1), "watercolour": (0.85, 1.25)}
CANDIDATES = 2
"""Of so many random crops the one whose plain twin has the most detail is taken: much of a picture is even, and soon
learned. To choose by the picture's own detail would teach that even surfaces are rough."""

SHARPENED = 0.25
"""Photographs are sharpened by this much of what a blur of SHARPENED_PX takes away, as cameras do it."""

SHARPENED_PX = 2.5
SHARES = {"photoreal": 0.61, "oil": 0.13, "ink": 0.13, "watercolour": 0.13}

BLURRED_SHARE = 0.2
"""So many photographs are to be made from themselves, made smaller and enlarged again: restoration."""

REDUCED = (2.0, 5.0)
"""By how much these were made smaller."""

MATCHED = (0.6, 1.7)
"""Least and greatest factor that a photograph's channels are multiplied by, to have the mean of its plain twin on the
surfaces. The twin does not tell the photograph's exposure and tint; to guess them, a model turns all to grey."""

UNKNOWN_SHARE = 0.1
"""So many crops come without geometry, so that the model can do without it."""


@dataclass(frozen=True)
class Batch:
    images: torch.Tensor
    """(b, 3, crop, crop) float32 in [-1, 1]."""
    sources: torch.Tensor
    """(b, 3, crop, crop) float32 in [-1, 1]: what SDEdit is given to make the images of."""
    geometry: torch.Tensor
    """(b, 4, crop, crop) float32, see `warpnoise.motion.surface_geometry`; 0 where it was dropped."""
    labels: torch.Tensor
    """(b,) int64: the style, or NULL_CLASS where it was dropped."""


def split(data: Path) -> tuple[list[str], list[str]]:
    """The views for training, and the held-out ones. Raises SystemExit if the folder is no data set of this format."""
    description = data / "dataset.json"
    if not description.exists():
        raise SystemExit(f"{data}: no dataset.json there; render the images first (python -m training.render_dataset)")
    found = json.loads(description.read_text()).get("format")
    if found != FORMAT:
        raise SystemExit(f"{description}: format {found}, expected {FORMAT}; render into a fresh folder")
    views = finished_views(data)
    held = [v for v in views if int(v.split("_")[0]) % HELD_OUT_EVERY == 0]
    return [v for v in views if v not in set(held)], held


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """An 8-bit picture as (h, w, 3) RGB. Raises SystemExit if it cannot be read."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise SystemExit(f"{path}: missing or damaged; delete it, and render or paint it again")
    return np.ascontiguousarray(pixels[..., ::-1])


def read_geometry(data: Path, view: str) -> NDArray[np.float32]:
    """The geometry of a view, (h, w, 4). Raises SystemExit if its depth or its camera cannot be read."""
    stem = Path(view).stem
    scene, _, number = stem.partition("_")
    try:
        depth = OpenEXR.File(str(data / "depth" / f"{stem}.exr")).channels()["RGB"].pixels[..., 0]
        projection = json.loads((data / "scenes" / f"{scene}.json").read_text())["projections"][int(number)]
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        raise SystemExit(f"{data}: the depth of {view} is missing or damaged ({error}); render it again") from None
    record = {"type": "PERSP", "world": np.eye(4).tolist(), "projection": projection}
    camera = Camera.model_validate_json(json.dumps(record))
    return np.ascontiguousarray(surface_geometry(depth, depth == 0, camera).transpose(1, 2, 0))


class Crops:
    """All training pictures in memory, and random batches of them."""

    def __init__(self, data: Path, crop: int, batch: int, drop_label: float, seed: int) -> None:
        self.data, self.crop, self.batch, self.drop_label, self.seed = data, crop, batch, drop_label, seed
        self.pictures: dict[str, dict[str, NDArray[np.uint8]]] = {kind: {} for kind in ("plain", "photo", *STYLES[1:])}
        self.geometry: dict[str, NDArray[np.int8]] = {}
        """In 127ths: (h, w, 4) each."""
        self.gains: dict[str, NDArray[np.float32]] = {}
        """What matches each photograph to its plain twin: (3,) each, see MATCHED."""
        self.empty = set[str]()
        self.refresh()

    def refresh(self) -> int:
        """Loads pictures that have been rendered or painted since the last call. Returns the number of photographs."""
        views, _ = split(self.data)
        for kind, pictures in self.pictures.items():
            for view in views:
                path = self.data / kind / view
                if view not in pictures and view not in self.empty and path.exists():
                    pictures[view] = read_pixels(path)
            if not pictures:
                raise SystemExit(
                    f"{self.data / kind}: no pictures; paint them first (python -m training.paint_dataset)"
                )
        for view in views:
            if view not in self.geometry and view not in self.empty:
                self.geometry[view] = np.round(read_geometry(self.data, view) * 127).astype(np.int8)
                photo, plain = self.pictures["photo"][view], self.pictures["plain"][view]
                self.gains[view] = _matching_gain(photo, plain, self.geometry[view][..., 3] > 0)
        self._leave_out({view for view, pixels in self.pictures["photo"].items() if pixels.std() < LEAST_CONTRAST})
        return len(self.pictures["photo"])

    def _leave_out(self, views: set[str]) -> None:
        self.empty |= views
        for view in views:
            self.geometry.pop(view, None)
            self.gains.pop(view, None)
            for pictures in self.pictures.values():
                pictures.pop(view, None)

    def sample(self, step: int) -> Batch:
        """The batch of training step `step`."""
        rng = np.random.default_rng((self.seed, step))
        shares = np.array([SHARES[style] for style in STYLES])
        labels = rng.choice(len(STYLES), self.batch, p=shares / shares.sum())
        crops = torch.from_numpy(np.stack([self._crop(STYLES[label], rng) for label in labels]))
        labels = np.where(rng.random(self.batch) < self.drop_label, NULL_CLASS, labels)
        images, sources, geometry = crops.split((3, 3, GEOMETRY_CHANNELS), dim=1)
        return Batch(images, sources, geometry, torch.from_numpy(labels))

    def _crop(self, style: str, rng: np.random.Generator) -> NDArray[np.float32]:
        """A crop, its source and its geometry, (3 + 3 + 4, crop, crop) in [-1, 1]."""
        kind = "photo" if style == "photoreal" else style
        names = sorted(self.pictures[kind])
        places = [self._place(kind, names[rng.integers(len(names))], style, rng) for _ in range(CANDIDATES)]
        place = max(places, key=lambda place: float(np.abs(_fine(self._cut("plain", *place))).mean()))
        image = self._cut(kind, *place)
        if style == "photoreal":
            image = np.clip(image + SHARPENED * _fine(image), -1, 1)
            if rng.random() < BLURRED_SHARE:
                small = max(1, round(self.crop / rng.uniform(*REDUCED)))
                source = enlarged_again(image, small, small)
            else:
                source = self._cut("plain", *place)
                image = (image + 1) * self.gains[place[0]] - 1
            gain = rng.uniform(0.85, 1.15) * rng.uniform(0.93, 1.07, 3).astype(np.float32)
            image, source = (np.clip((picture + 1) * gain - 1, -1, 1) for picture in (image, source))
        else:
            source = self._cut(begin_painting(place[0], style)[0], *place)
        view, *square = place
        geometry = self._scaled(self.geometry[view], *square) / 127
        if rng.random() < UNKNOWN_SHARE:
            geometry = np.zeros_like(geometry)
        crop = np.concatenate([image, source, geometry], axis=-1)
        if style != "ink" and rng.random() < 0.5:  # a hatcher's hand has one direction
            crop = crop[:, ::-1].copy()
            crop[..., 6] *= -1  # the normal's x
        return np.ascontiguousarray(crop.transpose(2, 0, 1), np.float32)

    def _place(self, kind: str, view: str, style: str, rng: np.random.Generator) -> tuple[str, int, int, int]:
        """A random square of a view: its name, size, top and left."""
        height, width = self.pictures[kind][view].shape[:2]
        size = int(min(self.crop * rng.uniform(*ZOOM[style]), height, width))
        return view, size, int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))

    def _cut(self, kind: str, view: str, size: int, y: int, x: int) -> NDArray[np.float32]:
        """A square of the view's picture of one kind, scaled to the crop's size, in [-1, 1]."""
        return np.clip(self._scaled(self.pictures[kind][view], size, y, x) / np.float32(127.5) - 1, -1, 1)

    def _scaled(self, picture: NDArray[np.uint8] | NDArray[np.int8], size: int, y: int, x: int) -> NDArray[np.float32]:
        piece = picture[y : y + size, x : x + size].astype(np.float32)
        how = cv2.INTER_AREA if size > self.crop else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(piece, (self.crop, self.crop), interpolation=how), np.float32)


def _matching_gain(
    photo: NDArray[np.uint8], plain: NDArray[np.uint8], surface: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(3,): the ratios of the means of `plain` and `photo` (h, w, 3) over the surfaces (h, w), if there are any."""
    if not surface.any():
        return np.ones(3, np.float32)
    means = [np.maximum(picture[surface].mean(axis=0, dtype=np.float64), 1.0) for picture in (plain, photo)]
    return (means[0] / means[1]).clip(*MATCHED).astype(np.float32)


def _fine(piece: NDArray[np.float32]) -> NDArray[np.float32]:
    """The difference between a picture and its blur by SHARPENED_PX."""
    return piece - cv2.GaussianBlur(piece, (0, 0), SHARPENED_PX)
