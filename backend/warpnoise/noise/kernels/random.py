"""Counter-based random numbers: a value is a function of its address, so nothing is stored and no order matters.

Normal values: Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), with the
transform of Box and Muller. Places and choices need no such quality: the finalizer of MurmurHash3 mixes their bits.
"""

from __future__ import annotations

import math
from typing import Any

from .compile import scalar
from .types import f32, u64

MASK = u64(0xFFFFFFFF)
M0, M1 = u64(0xD2511F53), u64(0xCD9E8D57)
K0, K1 = u64(0x9E3779B9), u64(0xBB67AE85)
ROUNDS = 10
MIX0, MIX1 = u64(0x85EBCA6B), u64(0xC2B2AE35)
A0, A1, A2, A3 = u64(0x9E3779B1), u64(0x85EBCA77), u64(0xC2B2AE3D), u64(0x27D4EB2F)
TO_UNIT, HALF_UNIT, TO_ANGLE = f32(2.0**-32), f32(2.0**-33), f32(2.0 * math.pi * 2.0**-32)
MINUS_TWO = f32(-2.0)
S13, S16, S32 = u64(13), u64(16), u64(32)


@scalar
def normals(c0: int, c1: int, c2: int, c3: int, k0: int, k1: int) -> tuple[float, float, float, float]:
    """Four independent N(0, 1) float32 for a counter of four 32-bit words and a key of two. All uint64."""
    for _ in range(ROUNDS):
        p0 = c0 * M0
        p1 = c2 * M1
        c0, c1, c2, c3 = (p1 >> S32) ^ c1 ^ k0, p1 & MASK, (p0 >> S32) ^ c3 ^ k1, p0 & MASK
        k0 = (k0 + K0) & MASK
        k1 = (k1 + K1) & MASK
    # Half a unit keeps the logarithm's argument above 0: |n| < 6.8.
    r0 = math.sqrt(MINUS_TWO * math.log(f32(c0) * TO_UNIT + HALF_UNIT))
    r1 = math.sqrt(MINUS_TWO * math.log(f32(c2) * TO_UNIT + HALF_UNIT))
    a0, a1 = f32(c1) * TO_ANGLE, f32(c3) * TO_ANGLE
    return r0 * math.cos(a0), r0 * math.sin(a0), r1 * math.cos(a1), r1 * math.sin(a1)


@scalar
def mix(bits: int) -> int:
    """Mixes 32 bits in a uint64."""
    bits = bits ^ (bits >> S16)
    bits = (bits * MIX0) & MASK
    bits = bits ^ (bits >> S13)
    bits = (bits * MIX1) & MASK
    return bits ^ (bits >> S16)


@scalar
def mix_level(seed: int, frame: int, level: int) -> int:
    """The part of a node's bits that depends on its frame and level."""
    return mix((u64(level) * A1 + mix((u64(frame) * A0 + seed) & MASK)) & MASK)


@scalar
def mix_place(bits: int, ix: int, iy: int) -> int:
    """The rest: its column and row."""
    return mix((u64(iy) * A3 + mix((u64(ix) * A2 + bits) & MASK)) & MASK)


def seed_word(seed: int) -> int:
    """32 mixed bits of a 64-bit seed, for :func:`mix_level`."""
    low, high = split_seed(seed)
    mixed: Any = mix
    return low ^ int(mixed.py_func(u64(high)))


def split_seed(seed: int) -> tuple[int, int]:
    """The two 32-bit halves of a 64-bit seed, low first: Philox's key."""
    return seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
