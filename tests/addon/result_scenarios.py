"""What `test_kill_points` does to a job's results in processes of their own. Imports no bpy."""

from __future__ import annotations

from pathlib import Path

from warpnoise_addon.results import remove_result, use_result

from .result_files import write_result

INK, CLAY = "ink-00000001", "clay-00000002"


def make_results(folder: Path) -> None:
    """Two results of two frames; clay is the one in use."""
    for name in (INK, CLAY):
        result = write_result(folder, name)
        for frame in ("0001", "0002"):
            (result / "frames" / f"{frame}.png").write_bytes(f"{name} {frame}".encode())
            (result / "records" / f"{frame}.json").write_text("{}")


def use_ink(folder: Path) -> None:
    use_result(folder, INK)


def remove_ink(folder: Path) -> None:
    remove_result(folder, INK)
