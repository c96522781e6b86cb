"""What a Python has that a backend needs, asked of the Python itself, without starting a backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..bounded_json import parse_json
from ..child import TimedOut, ask, never
from ..messages import Message
from .locate import BackendCommand, tool_environment

PROBE_SECONDS = 180.0
"""Importing torch from a cold disk can take minutes."""
OLDEST_PYTHON = (3, 10)
_SCRIPT = r"""
import json, sys
found = {"python": list(sys.version_info[:3])}
def last(error):
    return f"{type(error).__name__}: {error}".strip().splitlines()[-1]
try:
    import warpnoise
    found["warpnoise"] = warpnoise.__version__
except BaseException as error:
    found["warpnoise_error"] = last(error)
try:
    import torch
    found["torch"] = torch.__version__
    found["cuda"] = torch.version.cuda or torch.version.hip or ""
    mps = getattr(torch.backends, "mps", None)
    found["gpu"] = torch.cuda.is_available() or bool(mps and mps.is_available())
except BaseException as error:
    found["torch_error"] = last(error)
print("\n" + json.dumps(found))
"""


@dataclass(frozen=True)
class Probe:
    """``*_error``: the last line of what the import raised. ``cuda``: the CUDA or ROCm that torch is built for.

    ``trouble``: it could not be asked at all.
    """

    python: tuple[int, ...] = ()
    warpnoise: str = ""
    warpnoise_error: str = ""
    torch: str = ""
    torch_error: str = ""
    cuda: str = ""
    gpu: bool = False
    trouble: str = ""


def probe(command: BackendCommand, cancelled: Callable[[], bool] = never) -> Probe | None:
    """None: the command is no Python. Raises Cancelled."""
    if command.argv[1:] != ("-m", "warpnoise"):
        return None
    try:
        status, said, errors = ask(
            [command.argv[0], "-c", _SCRIPT],
            PROBE_SECONDS,
            tool_environment(),
            cancelled,
            "cancelled while the backend's Python was asked",
        )
    except OSError as error:
        return Probe(trouble=Message("it cannot be started: {reason}", reason=error.strerror))
    except TimedOut:
        return Probe(trouble=Message("it did not answer within {seconds:.0f} s", seconds=PROBE_SECONDS))
    try:
        found = parse_json(said[-1])
        return Probe(**found | {"python": tuple(found["python"])})
    except (ValueError, TypeError, KeyError, IndexError):
        last = ([line for line in errors if line.strip()] or [f"exit code {status}"])[-1]
        return Probe(trouble=Message("it does not behave like a Python: {last}", last=last))
