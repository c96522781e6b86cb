"""Digests of files and texts, by which a later run recognizes what has not changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

_DIGEST_BYTES = 16
_CHUNK_BYTES = 1 << 20


def digest_file(path: Path) -> str:
    """BLAKE2b of a file's bytes, in hexadecimal. Raises OSError as ``open`` does."""
    with path.open("rb") as file:
        return _hash(file, hashlib.blake2b(digest_size=_DIGEST_BYTES))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal. Raises OSError as ``open`` does."""
    with path.open("rb") as file:
        return stream_sha256(file)


def stream_sha256(file: IO[bytes]) -> str:
    """SHA-256 of the rest of an open file, in hexadecimal."""
    return _hash(file, hashlib.sha256())


def digest_files(root: Path, paths: Iterable[Path], digest: Callable[[Path], str] = digest_file) -> str:
    """One digest of several files' names (relative to ``root``) and bytes; their order does not matter.

    ``digest`` gives a file's own; it is called in several threads at once.
    """
    ordered = sorted(paths, key=lambda path: path.relative_to(root).as_posix())
    # hashlib lets other threads run while it works, so that big weight files are hashed side by side.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        digests = list(pool.map(digest, ordered))
    return digest_text(
        *(f"{path.relative_to(root).as_posix()}\0{digest}" for path, digest in zip(ordered, digests, strict=True))
    )


def digest_text(*parts: str) -> str:
    """One digest of a sequence of texts; ("ab", "c") and ("a", "bc") differ."""
    state = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        data = part.encode()
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def _hash(file: IO[bytes], state: hashlib._Hash | hashlib.blake2b) -> str:
    while chunk := file.read(_CHUNK_BYTES):
        state.update(chunk)
    return state.hexdigest()
