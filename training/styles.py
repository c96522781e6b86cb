"""The painted styles. Each takes a rendered picture and imitates a medium.

Pictures are (h, w, 3) float32 in [0, 1], display-referred RGB. All randomness comes from the generator passed in.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from training.kuwahara import Field, Image, flow, kuwahara

Painter = Callable[[Image, np.random.Generator], Image]

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def _blur(field: Field, sigma: float) -> Field:
    return cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101).astype(np.float32)


def _smooth_noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> Field:
    """Gaussian noise blurred by `sigma` pixels, with unit variance."""
    field = _blur(rng.standard_normal(shape).astype(np.float32), sigma)
    return field / max(float(field.std()), 1e-6)


def along_flow(field: Field, angle: Field, length: int) -> Field:
    """Line integral convolution (Cabral and Leedom 1993): averages a field along orientations, `length` px each way."""
    h, w = field.shape
    y0, x0 = np.mgrid[0:h, 0:w].astype(np.float32)
    total = field.copy()
    for sign in (np.float32(-1), np.float32(1)):
        x, y = x0.copy(), y0.copy()
        dx, dy = sign * np.cos(angle), sign * np.sin(angle)
        for _ in range(length):
            x, y = x + dx, y + dy
            total += cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            c, s = (
                cv2.remap(f, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
                for f in (np.cos(angle), np.sin(angle))
            )
            turn = np.where(c * dx + s * dy < 0, -1.0, 1.0).astype(
                np.float32
            )  # an orientation has no sign: keep going on
            dx, dy = c * turn, s * turn
    return (total / (2 * length + 1)).astype(np.float32)


def oil(image: Image, rng: np.random.Generator) -> Image:
    """Thick paint: patches that follow the form, saturated, with the relief of bristles lit from the upper left."""
    patches = kuwahara(image, radius=4.5)
    grey = patches @ LUMA
    patches = np.clip(grey[..., None] + 1.35 * (patches - grey[..., None]), 0, 1)
    patches = patches + 0.10 * (patches - 0.45) + np.array([0.015, 0.004, -0.02], np.float32)

    angle, anisotropy = flow(patches, 4.0)
    wander = (
        0.7 * _smooth_noise(grey.shape, 12.0, rng) + 0.6
    )  # where the form says nothing, strokes run as the hand likes
    c = anisotropy * np.cos(2 * angle) + 0.35 * np.cos(2 * wander)
    s = anisotropy * np.sin(2 * angle) + 0.35 * np.sin(2 * wander)
    direction = (0.5 * np.arctan2(s, c)).astype(np.float32)
    bristles = along_flow(_smooth_noise(grey.shape, 0.8, rng), direction, 7)
    bristles /= bristles.std() + 1e-6
    light = cv2.filter2D(
        bristles, cv2.CV_32F, np.array([[1.0, 0.5, 0], [0.5, 0, -0.5], [0, -0.5, -1.0]], np.float32) / 2
    )
    tint = (
        0.03
        * along_flow(_smooth_noise(grey.shape, 1.6, rng), direction, 9)[..., None]
        * np.array([1.0, 0.6, -0.8], np.float32)
    )
    return np.clip(patches * (1 + 0.07 * light[..., None]) + 0.02 * light[..., None] + tint, 0, 1).astype(np.float32)


def contours(grey: Field, sigma: float = 0.8, gain: float = 14.0, threshold: float = 0.6) -> Field:
    """Drawn lines, 1 between them: the extended difference of Gaussians (Winnemoeller, Kyprianidis, Olsen 2012)."""
    sharp = (1 + gain) * _blur(grey, sigma) - gain * _blur(grey, 1.6 * sigma)
    return np.where(sharp >= threshold, 1.0, 1.0 + np.tanh(6.0 * (sharp - threshold))).astype(np.float32).clip(0, 1)


def ink(image: Image, rng: np.random.Generator) -> Image:
    """Pen and wash: dark contours, up to three layers of fine hatching for the tone, over a pale wash of colour."""
    flat = kuwahara(image, radius=3.5)
    grey = flat @ LUMA
    low, high = np.percentile(grey, (2.0, 98.0))
    tone = _blur(np.clip((grey - low) / max(high - low, 0.25), 0, 1), 1.0)  # each sheet uses its whole range
    h, w = grey.shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    wobble_x, wobble_y = (0.6 * _smooth_noise((h, w), 8.0, rng) for _ in range(2))
    drawn = np.ones((h, w), np.float32)
    for limit, degrees, spacing in ((0.55, 45.0, 4.6), (0.33, -45.0, 4.6), (0.16, 0.0, 3.8)):
        a = np.deg2rad(degrees)
        across = (x + wobble_x) * np.sin(a) + (y + wobble_y) * np.cos(a)
        wave = 0.5 + 0.5 * np.cos(2 * np.pi * (across / spacing + rng.random()))
        pressure = np.clip((limit - tone) / 0.2 + 0.12 * _smooth_noise((h, w), 3.0, rng), 0, 1)  # lines begin thin
        line = np.clip((wave - (1.0 - 0.32 * pressure)) * 5.0, 0, 1) * (pressure > 0)
        drawn *= 1.0 - 0.7 * line
    # A contour compares its two sides, whatever their tone, so that dark things have outlines and not black insides.
    across_edge = np.sqrt(sum(_edges(np.ascontiguousarray(flat[..., c])) ** 2 for c in range(3)))
    drawn *= contours(np.clip(1.0 - 3.2 * across_edge, 0, 1).astype(np.float32), gain=3.0, threshold=0.55)
    wash = np.clip(grey[..., None] + 1.3 * (flat - grey[..., None]), 0, 1)
    wash = 0.42 + 0.58 * wash**0.7
    paper = np.array([0.985, 0.970, 0.93], np.float32) * (1 + 0.012 * _smooth_noise((h, w), 1.0, rng))[..., None]
    pen = np.array([0.09, 0.10, 0.17], np.float32)
    return np.clip(pen + (paper * wash - pen) * drawn[..., None], 0, 1).astype(np.float32)


def _edges(grey: Field) -> Field:
    soft = _blur(grey, 0.7)
    dx = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3, scale=0.25, borderType=cv2.BORDER_REFLECT_101)
    dy = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3, scale=0.25, borderType=cv2.BORDER_REFLECT_101)
    return np.hypot(dx, dy).astype(np.float32)


def watercolour(image: Image, rng: np.random.Generator) -> Image:
    """Washes on rough paper: light flat tones with wavering borders, dark rims, pigment that gathers in the grain.

    Pigment of density d darkens a colour C as in Bousseau et al., "Interactive Watercolor Rendering with Temporal
    Coherence and Abstraction" (2006): C' = C - (C - C^2)(d - 1).
    """
    h, w = image.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    waver = [1.6 * _smooth_noise((h, w), 5.0, rng) + 0.5 * _smooth_noise((h, w), 1.5, rng) for _ in range(2)]
    patches = kuwahara(image, radius=6.0)
    flat = cv2.remap(patches, x + waver[0], y + waver[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    grey = flat @ LUMA
    levels = 5.0
    steps = np.floor(grey * levels) / levels + np.clip((grey * levels % 1.0) * 3.0 - 1.0, 0, 1) / levels
    flat = flat * ((0.45 * grey + 0.55 * steps + 0.03) / (grey + 0.03))[..., None]
    grey = flat @ LUMA
    flat = grey[..., None] + 1.45 * (flat - grey[..., None])
    wash = np.clip(0.24 + 0.76 * np.clip(flat, 0, 1) ** 0.8, 0.02, 0.99)

    rim = np.clip(_edges(wash @ LUMA) * 7.0, 0, 1.0)
    rim = np.clip(rim - 0.5 * _blur(rim, 2.0), 0, 1)
    grain = _smooth_noise((h, w), 0.9, rng)
    pool = 0.20 * _smooth_noise((h, w), 14.0, rng) + 0.13 * _smooth_noise((h, w), 4.0, rng)
    density = (1.0 + 0.9 * rim + pool + 0.13 * grain)[..., None]
    pigment = wash - (wash - wash**2) * (density - 1.0)
    paper = np.array([0.985, 0.975, 0.95], np.float32) * (1 + 0.010 * grain)[..., None]
    return np.clip(pigment * paper, 0, 1).astype(np.float32)


PAINTERS: dict[str, Painter] = {"oil": oil, "ink": ink, "watercolour": watercolour}
STYLES: tuple[str, ...] = ("photoreal", *PAINTERS)


def paint(style: str, image: Image, rng: np.random.Generator) -> Image:
    """Returns `image` in `style`. Raises ValueError if the style is none of STYLES."""
    if style == "photoreal":
        return image
    try:
        painter = PAINTERS[style]
    except KeyError:
        raise ValueError(f"style {style!r}: expected one of {', '.join(STYLES)}") from None
    if image.dtype != np.float32 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image: expected float32 (h, w, 3), got {image.dtype} {image.shape}")
    return painter(image, rng)
