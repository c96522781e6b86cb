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
    "coherence": Words(
        "Coherence beyond noise",
        "Each frame is stylized as in appearance transfer, all with warped noise. Each option alone holds the frames "
        "together, then all of them. Sharpness and drift are relative to warped noise alone.",
    ),
}

VARIANTS = {
    "plain": Words("Warped noise alone", "Nothing else holds the frames together."),
    "pull": Words("Pull", "The middle steps are drawn toward key frames and the frame before."),
    "accumulation": Words("Accumulation", "Finished frames are averaged with those around them."),
    "attention": Words("Attention", "The network looks at the key frame, too."),
    "together": Words("All together", "All options at full strength."),
}

FLOOR = {
    "input": Words("Input", "What the model gets."),
    "reference": Words("Reference", "A rendered sequence, whose texture moves perfectly."),
}


def title(method: str) -> str:
    """Of a method, the input or the reference."""
    words = METHODS.get(method) or VARIANTS.get(method) or FLOOR.get(method)
    return words.title if words else method
