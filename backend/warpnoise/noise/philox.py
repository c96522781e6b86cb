"""Counter-based random numbers: a value is a function of its address, so nothing is stored and no order matters.

Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), with the transform of Box
and Muller, for the noise's values. Where atoms lie and when they split needs no such quality: a 32-bit mixer does.
The 32-bit arithmetic is done in int64, whose products wrap to the right low 64 bits.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
TO_UNIT = 2.0**-32
TO_ANGLE = 2.0 * math.pi * 2.0**-32

MIX = (0x85EBCA6B, 0xC2B2AE35)  # the finalizer of MurmurHash3
ADDRESS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)


def split_seed(seed: int) -> tuple[int, int]:
    """The two 32-bit halves of a 64-bit seed, low first: Philox's key."""
    return seed & MASK, (seed >> 32) & MASK


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> tuple[Tensor, ...]:
    """Four words of 32 random bits for each counter.

    Args:
        counter: four int64 tensors that broadcast against each other, each 32 bits.
        key: two integers of 32 bits.

    Returns:
        Four int64 tensors in [0, 2**32).
    """
    c0, c1, c2, c3 = torch.broadcast_tensors(*counter)  # type: ignore[no-untyped-call]
    k0, k1 = key
    for _ in range(ROUNDS):
        product0 = c0 * MULTIPLIERS[0]
        product1 = c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((product1 >> 32) & MASK) ^ c1 ^ k0,
            product1 & MASK,
            ((product0 >> 32) & MASK) ^ c3 ^ k1,
            product0 & MASK,
        )
        k0 = (k0 + KEY_STEPS[0]) & MASK
        k1 = (k1 + KEY_STEPS[1]) & MASK
    return c0, c1, c2, c3


def to_normals(words: tuple[Tensor, ...]) -> Tensor:
    """(..., 4) independent N(0, 1) float32 from four words each: two pairs of Box and Muller."""
    w0, w1, w2, w3 = (word.to(torch.float32) for word in words)
    normals = []
    for magnitude, angle in ((w0, w1), (w2, w3)):
        # The half keeps the logarithm's argument above 0: |n| < 6.8.
        radius = torch.sqrt(-2.0 * torch.log(magnitude * TO_UNIT + 0.5 * TO_UNIT))
        turn = angle * TO_ANGLE
        normals += [radius * torch.cos(turn), radius * torch.sin(turn)]
    return torch.stack(normals, dim=-1)


def to_uniforms(words: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Uniform float32 in [0, 1) from 24 bits of each word."""
    return tuple((word >> 8).to(torch.float32) * 2.0**-24 for word in words)


def seed_word(seed: int) -> int:
    """32 bits of a 64-bit seed, for :func:`mix_address`."""
    low, high = split_seed(seed)
    return low ^ int(mix(torch.tensor(high)))


def mix(bits: Tensor) -> Tensor:
    """32 well mixed bits for each 32 bits: the finalizer of MurmurHash3. int64."""
    bits = bits ^ (bits >> 16)
    bits = (bits * MIX[0]) & MASK
    bits = bits ^ (bits >> 13)
    bits = (bits * MIX[1]) & MASK
    return bits ^ (bits >> 16)


def mix_address(seed: int, frame: Tensor, level: Tensor, ix: Tensor, iy: Tensor) -> Tensor:
    """32 bits for a node; ``seed`` is :func:`seed_word`'s. int64."""
    bits = mix((frame * ADDRESS[0] + seed) & MASK)
    bits = mix((level * ADDRESS[1] + bits) & MASK)
    bits = mix((ix * ADDRESS[2] + bits) & MASK)
    return mix((iy * ADDRESS[3] + bits) & MASK)
