"""What methods and tasks are called, and what they do, for readers."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    title: str
    text: str


METHODS = {
    "random": Words("Random", "Fresh noise for every frame."),
    "fixed": Words("Fixed", "One noise for all frames: it sticks to the screen."),
    "bilinear": Words("Bilinear", "The last frame's noise moved, interpolated between four pixels."),
    "bicubic": Words("Bicubic", "The last frame's noise moved, interpolated between sixteen pixels."),
    "nearest": Words("Nearest", "The last frame's noise moved, the nearest pixel taken."),
    "pyoco-mixed": Words("PYoCo mixed", "A part common to all frames, and a fresh part (Ge et al. 2023)."),
    "pyoco-progressive": Words(
        "PYoCo progressive", "A part of the last frame's noise, and a fresh part (Ge et al. 2023)."
    ),
    "control-a-video": Words(
        "Control-A-Video", "The last frame's noise, fresh where the picture changed (Chen et al. 2023)."
    ),
    "chained": Words(
        "Chained integral", "Integral noise (Chang et al. 2024) made of the last frame's, frame by frame."
    ),
    "warped": Words("Warpnoise", "Integral noise carried by atoms that ride on the surfaces."),
}

TASKS = {
    "appearance": Words(
        "Appearance transfer",
        "Each frame is taken part of the way to noise and denoised in the model's style (SDEdit).",
    ),
    "super-resolution": Words(
        "Super-resolution",
        "Each picture of the reference (of the job, where none was given), reduced to a quarter of its width and "
        "height and enlarged again, gets its detail back from the model. It is compared with the picture itself.",
    ),
}

FLOOR = {
    "input": Words("Input", "What the model gets."),
    "reference": Words("Reference", "A rendered sequence, whose texture moves perfectly."),
}


def title(method: str) -> str:
    """Of a method, the input or the reference."""
    words = METHODS.get(method) or FLOOR.get(method)
    return words.title if words else method
