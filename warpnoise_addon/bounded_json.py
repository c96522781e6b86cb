"""JSON from outside, with limits. The add-on reads all JSON through this module.

A text is UTF-8 (a byte order mark is ignored), has at most ``LARGEST`` bytes, is not nested deeper than Python can
handle, and holds only finite numbers and valid characters. If an object has a key twice, the last one counts.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

from .errors import MessageError

LARGEST = 64 << 20
"""Bytes. A shot's job.json may be larger: see ``largest``."""
_MAY_BE_HALF = re.compile(r"\\u[dD]")


class BadJsonError(MessageError, ValueError):
    """A text is not acceptable JSON. The message is the end of a sentence: "it is nested too deeply"."""


def parse_json(data: bytes | str, largest: int = LARGEST) -> Any:
    """The value of a JSON text of at most ``largest`` bytes.

    Raises:
        BadJsonError: too large, not UTF-8, not JSON, nested too deeply, a number that is not finite, half a character.
    """
    if len(data) > largest:
        raise BadJsonError("it has {count} bytes; expected at most {largest}", count=len(data), largest=largest)
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if _MAY_BE_HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise BadJsonError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise BadJsonError("it is not UTF-8 text") from None
    except UnicodeEncodeError:
        raise BadJsonError("it holds half of a character (a lone surrogate)") from None
    except BadJsonError:
        raise
    except ValueError as error:
        raise BadJsonError("it is not JSON: {error}", error=error) from None
    return value


def read_json(path: Path, largest: int = LARGEST) -> Any:
    """The value in a JSON file, which must be a regular one.

    Raises:
        OSError: it is missing or cannot be read.
        BadJsonError: as `parse_json`, or no regular file.
    """
    return parse_json(read_bytes(path, largest), largest)


def read_bytes(path: Path, largest: int) -> bytes:
    """The content of a regular file of at most ``largest`` bytes. Raises OSError and BadJsonError as `read_json`."""
    # O_NONBLOCK: opening a pipe that nobody writes to returns at once. Without meaning for regular files.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadJsonError("it is not a regular file")
        if status.st_size > largest:
            raise BadJsonError("it has {size} bytes; expected at most {largest}", size=status.st_size, largest=largest)
        return file.read(largest + 1)


def _refuse(constant: str) -> NoReturn:
    raise BadJsonError("it holds {constant}, which is not a number", constant=constant)


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise BadJsonError("it holds a number that is too large")
    return number
