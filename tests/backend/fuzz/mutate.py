"""Mutations of bytes and of JSON values; a generator of random numbers decides all."""

from __future__ import annotations

import copy
import json
import random
import zlib
from collections.abc import Iterator
from typing import Any

SIZES = (0, 1, 2, 255, 65_535, 2**20, 2**31 - 1, 2**31, 2**32 - 1)
TEXTS = (
    "",
    "\0",
    "a" * 5000,
    "~nosuchuser",
    "../../x",
    "\u202e",
    "1",
    "default",
    "/dev/zero",
    "NaN",
    "\U0001f600" * 100,
)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e-300, 1e300, float("inf"), float("nan"), 2**31, -(2**31), 2**63, 10**9,
    10**30, 1e-9, 1e18, [], {}, [[]], {"": None}, [0] * 5000, *TEXTS,
)  # fmt: skip


def mutated_bytes(data: bytes, random: random.Random, largest_change: int = 8) -> bytes:
    """One to four changes: bits, sizes, pieces cut out, doubled or overwritten, the end cut off."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        if not changed:
            break
        # Headers come first, and decide most.
        at = random.randrange(min(len(changed), 600) if random.random() < 0.7 else len(changed))
        length = random.randint(1, largest_change)
        match random.randrange(7):
            case 0:
                changed[at] ^= 1 << random.randrange(8)
            case 1:
                changed[at : at + length] = random.randbytes(length)
            case 2:
                changed[at : at + 4] = random.choice(SIZES).to_bytes(4, random.choice(("little", "big")))
            case 3:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length * 10]
            case 5:
                del changed[at:]
            case 6:
                changed[at : at + length] = bytes(length) if random.random() < 0.5 else b"\xff" * length
    return bytes(changed)


def mutated_png(data: bytes, random: random.Random) -> bytes:
    """Changes behind right checksums, which a decoder would stop at: of chunks, or of the unpacked pixels in them."""
    if random.random() < 0.5:
        chunks = list(_chunks(data))
        pixels = zlib.decompress(b"".join(value for kind, value in chunks if kind == b"IDAT"))
        packed = zlib.compress(mutated_bytes(pixels, random))
        changed = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
        changed.insert(-1, (b"IDAT", packed))
        data = data[:8] + b"".join(_chunk(kind, value) for kind, value in changed)
    changed_chunks = []
    for kind, value in _chunks(data):
        if value and random.random() < 0.4:
            value = mutated_bytes(value, random)
        changed_chunks += [_chunk(kind, value)] * (2 if random.random() < 0.05 else 1)
    return data[:8] + b"".join(changed_chunks)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(kind: bytes, value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + kind + value + zlib.crc32(kind + value).to_bytes(4, "big")


def mutated_json(value: Any, random: random.Random) -> bytes:
    """The text of a value with one to three changes, of values or of the text; some are nested far too deeply."""
    if random.random() < 0.05:
        return b"[" * random.randint(150, 100_000)
    changed = copy.deepcopy(value)
    for _ in range(random.randint(1, 3)):
        place, key = _place(changed, random)
        if place is None:
            return json.dumps(random.choice(VALUES)).encode()
        match random.randrange(4):
            case 0:
                del place[key]
            case 1 if isinstance(place, dict):
                place[random.choice(TEXTS)] = random.choice(VALUES)
            case _:
                place[key] = copy.deepcopy(random.choice(VALUES))
    text = json.dumps(changed).encode()
    if random.random() < 0.2:
        text = mutated_bytes(text, random)
    elif random.random() < 0.05:
        text = text.replace(b'"', b'"\\ud800', 2)
    return text


def _place(value: Any, random: random.Random) -> tuple[Any, Any]:
    """A container somewhere in ``value`` and a key in it."""
    found: tuple[Any, Any] = None, None
    while isinstance(value, dict | list) and value:
        key = random.choice(list(value)) if isinstance(value, dict) else random.randrange(len(value))
        found = value, key
        if random.random() < 0.3:
            break
        value = value[key]
    return found
