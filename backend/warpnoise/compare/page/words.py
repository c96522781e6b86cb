"""What methods and tasks are called, and what they do, for readers."""

from __future__ import annotations

from typing import NamedTuple

from warpnoise.noise import METHODS as NOISE


class Words(NamedTuple):
    title: str
    text: str


METHODS = {name: Words(info.label, info.description) for name, info in NOISE.items()}

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
