"""Counter-based random numbers: a value is a function of its address, so none is stored, and the order is free.

Normal values use Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) and the
Box-Muller transform. The logarithm, sine and cosine are the polynomials of Cephes (S. Moshier), because libraries
differ in the last bits, and calls to them prevent vectorization. Places and choices need less quality: the finalizer of
MurmurHash3 mixes their bits.
"""

from __future__ import annotations

import math
from typing import Any

from .compile import scalar
from .types import HALF, ONE, f32, i32, u64

MASK = u64(0xFFFFFFFF)
M0, M1 = u64(0xD2511F53), u64(0xCD9E8D57)
K0, K1 = u64(0x9E3779B9), u64(0xBB67AE85)
ROUNDS = 10
MIX0, MIX1 = u64(0x85EBCA6B), u64(0xC2B2AE35)
A0, A1, A2, A3 = u64(0x9E3779B1), u64(0x85EBCA77), u64(0xC2B2AE3D), u64(0x27D4EB2F)
S1, S13, S16, S31, S32 = u64(1), u64(13), u64(16), u64(31), u64(32)
MINUS_TWO = f32(-2.0)
TO_UNIT, HALF_UNIT = f32(2.0**-31), f32(2.0**-32)
LOW30, BIT30, MIDDLE = u64((1 << 30) - 1), u64(1 << 30), i32(1 << 29)
TO_ANGLE = f32(2.0 * math.pi * 2.0**-32)
ROOT_HALF_BITS, MANTISSA = i32(0x3F3504F3), i32(23)
LN2_HIGH, LN2_LOW = f32(0.693359375), f32(-2.12194440e-4)
L0, L1, L2, L3 = f32(7.0376836292e-2), f32(-1.1514610310e-1), f32(1.1676998740e-1), f32(-1.2420140846e-1)
L4, L5, L6, L7 = f32(1.4249322787e-1), f32(-1.6668057665e-1), f32(2.0000714765e-1), f32(-2.4999993993e-1)
L8 = f32(3.3333331174e-1)
SIN0, SIN1, SIN2 = f32(-1.9515295891e-4), f32(8.3321608736e-3), f32(-1.6666654611e-1)
COS0, COS1, COS2 = f32(2.443315711809948e-5), f32(-1.388731625493765e-3), f32(4.166664568298827e-2)


@scalar
def normals(c0: int, c1: int, c2: int, c3: int, k0: int, k1: int) -> tuple[float, float, float, float]:
    """Four independent N(0, 1) float32, from a counter of four 32-bit words and a key of two, which are uint64."""
    for _ in range(ROUNDS):
        p0 = c0 * M0
        p1 = c2 * M1
        c0, c1, c2, c3 = (p1 >> S32) ^ c1 ^ k0, p1 & MASK, (p0 >> S32) ^ c3 ^ k1, p0 & MASK
        k0 = (k0 + K0) & MASK
        k1 = (k1 + K1) & MASK
    z0, z1 = box_muller(c0, c1)
    z2, z3 = box_muller(c2, c3)
    return z0, z1, z2, z3


@scalar
def box_muller(a: int, b: int) -> tuple[float, float]:
    """Two independent N(0, 1) float32, from two uniform 32-bit words."""
    # The half unit keeps the logarithm's argument above 0, so |n| < 6.7.
    radius = math.sqrt(MINUS_TWO * logarithm(f32(i32(a >> S1)) * TO_UNIT + HALF_UNIT))
    # 30 bits are an angle within 45 degrees of 0. One bit adds 180 degrees, and one mirrors the angle at 45 degrees.
    angle = f32(i32(i32(b & LOW30) - MIDDLE)) * TO_ANGLE
    square = angle * angle
    sine = ((SIN0 * square + SIN1) * square + SIN2) * square * angle + angle
    cosine = ((COS0 * square + COS1) * square + COS2) * square * square - HALF * square + ONE
    radius = -radius if b >> S31 else radius
    mirrored = (b & BIT30) != 0
    return radius * (sine if mirrored else cosine), radius * (cosine if mirrored else sine)


@scalar
def logarithm(x: Any) -> Any:
    """The natural logarithm of a positive, normal float32."""
    bits = f32(x).view(i32)  # type: ignore[attr-defined]
    exponent = i32(i32(bits - ROOT_HALF_BITS) >> MANTISSA)
    mantissa = i32(bits - (exponent << MANTISSA)).view(f32)  # type: ignore[attr-defined]
    t = mantissa - ONE  # the mantissa is from sqrt(1/2) to sqrt(2)
    square = t * t
    y = ((((((L0 * t + L1) * t + L2) * t + L3) * t + L4) * t + L5) * t + L6) * t
    y = ((y + L7) * t + L8) * t * square
    y = y + f32(exponent) * LN2_LOW - HALF * square
    return t + y + f32(exponent) * LN2_HIGH


@scalar
def mix(bits: int) -> int:
    """Mixes the 32 bits of a uint64."""
    bits = bits ^ (bits >> S16)
    bits = (bits * MIX0) & MASK
    bits = bits ^ (bits >> S13)
    bits = (bits * MIX1) & MASK
    return bits ^ (bits >> S16)


@scalar
def mix_level(seed: int, frame: int, level: int) -> int:
    """The first part of a node's hash: of its frame and level. 32 bits."""
    return mix((u64(level) * A1 + mix((u64(frame) * A0 + seed) & MASK)) & MASK)


@scalar
def mix_place(bits: int, ix: int, iy: int) -> int:
    """The second part, which continues ``bits`` from :func:`mix_level`: of the node's column and row."""
    return mix((u64(iy) * A3 + mix((u64(ix) * A2 + bits) & MASK)) & MASK)
