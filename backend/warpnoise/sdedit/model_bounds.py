"""Limits for the configurations of models, checked before a network is built from them.

A configuration of a few bytes can request a billion layers. So its values are checked by their names, and the size of
the network is compared with the tensors in the headers of the weights' files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from warpnoise.errors import ModelError
from warpnoise.media.json_file import parse_json, read_object

LARGEST_CONFIG: Final = 4 << 20
"""Bytes."""
LARGEST_HEADER: Final = 100_000_000
"""Bytes of a safetensors file's header; the limit of safetensors itself."""
ADVICE: Final = "Download the model again."
MOST_CLASSES: Final = 100_000
_LONGEST_LIST = 4096
_LIMITS = (
    (re.compile(r"layers|depth|num_blocks|blocks_per"), 512),
    (re.compile(r"timesteps"), 1_000_000),
    (re.compile(r"channels|size|dim|heads|groups|classes|class_embeds|factor|embeddings|latents|rank"), 1 << 21),
)
"""Patterns of names, and the largest whole number that such a value has. The first that fits counts."""
_LARGEST_NUMBER = 1 << 40


def read_config(path: Path, missing: str = "this is not a complete diffusers model") -> dict[str, Any]:
    """The object in a model's JSON file, its values checked.

    Args:
        missing: what it means that there is no such file.

    Raises:
        ModelError: missing, not JSON, not an object, or a value that no model has.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing: {missing}. {ADVICE}")
    config = read_object(path, error=ModelError, advice=ADVICE, largest=LARGEST_CONFIG, finite=False)
    check_values(path, config)
    return config


def check_values(where: object, config: dict[str, Any]) -> None:
    """Raises ModelError for a value that no model has; ``where`` names the configuration."""
    for name, value in _values(config):
        _check_value(where, name, value)


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a safetensors file, by its header, which is checked against the file's size.

    Raises:
        ModelError: no whole safetensors file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, LARGEST_HEADER):
                raise ModelError(f"{path} is not a safetensors file: its header cannot have {length} bytes. {ADVICE}")
            data = file.read(length)
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror}. Check its permissions.") from error
    header = parse_json(data, f"the header of {path}", error=ModelError, advice=ADVICE, largest=LARGEST_HEADER)
    shapes, end = {}, 0
    try:
        for name, entry in header.items():
            if name != "__metadata__":
                shapes[name] = tuple(_count(side) for side in entry["shape"])
                end = max(end, _count(entry["data_offsets"][1]))
    except (AttributeError, KeyError, TypeError, IndexError, ValueError):
        raise ModelError(f"{path} is not a safetensors file: its header is damaged. {ADVICE}") from None
    if end != size - 8 - length:
        raise ModelError(f"{path} has {size - 8 - length} bytes of weights; expected {end}. {ADVICE}")
    return shapes


def check_amount(place: Path, needed: int, files: list[Path]) -> None:
    """Whether weights' files hold about as many numbers as a network of this configuration has.

    Libraries make what weights lack, of any size, before they report it. Names are theirs to compare: old ones differ.

    Args:
        place: the network's folder, for the message.
        needed: numbers of the network.

    Raises:
        ModelError: it has far more than the files.
    """
    there = sum(math.prod(shape) for file in files for shape in tensor_shapes(file).values())
    if needed > 1.1 * there + 1000:
        raise ModelError(
            f"{place}: its config.json asks for {needed} numbers, and its weights hold {there}: they are of another "
            f"model. {ADVICE}"
        )


def _values(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no object, with the name of the key that it is below; a list after its items."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _values(item, key)
        return
    if isinstance(value, list):
        for item in value:
            yield from _values(item, name)
    yield name, value


def _check_value(path: object, name: str, value: Any) -> None:
    if isinstance(value, list) and len(value) > _LONGEST_LIST:
        raise ModelError(f"{path}: {name[:60]} has {len(value)} values; expected at most {_LONGEST_LIST}. {ADVICE}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    limit = next((most for names, most in _LIMITS if names.search(name)), math.inf)
    if isinstance(value, int):
        limit = min(limit, _LARGEST_NUMBER)
    if not abs(value) <= limit:
        raise ModelError(f"{path}: {name[:60]} is {str(value)[:40]}; expected at most {limit}. {ADVICE}")


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise ValueError
    return value
