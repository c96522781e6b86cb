"""The warm-up compiles all kernels, once for their sources, and reports it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numba
import pytest
from warpnoise.noise import warmup
from warpnoise.noise.kernels import compile as compiling
from warpnoise.noise.kernels.compile import KERNELS, Kernel

FOLDER = Path(compiling.__file__).parent


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    file = tmp_path / "loops.py"
    file.touch()
    monkeypatch.setattr(warmup, "cache_file", lambda: str(file))
    return tmp_path


def test_warm_up_runs_every_kernel(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = {kernel for kernel in KERNELS if kernel.function.__module__.startswith("warpnoise.")}
    used: dict[Kernel, object] = {}
    original = Kernel.loop.func

    def loop(kernel: Kernel) -> object:
        if kernel not in used:
            used[kernel] = original(kernel)
        return used[kernel]

    monkeypatch.setattr(Kernel, "loop", property(loop))
    said: list[str] = []
    assert warmup.compile_kernels(said.append)
    assert said == ["Compiling the noise kernels, once"]
    assert {kernel.name for kernel in kernels - set(used)} == set()


def test_kernels_are_compiled_once_for_a_version_of_numba(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup, "_run_all", lambda: None)
    said: list[str] = []
    assert warmup.compile_kernels(said.append) and not warmup.compile_kernels(said.append)
    assert len(said) == 1
    monkeypatch.setattr(numba, "__version__", "0.99")
    assert warmup.compile_kernels() and not warmup.compile_kernels()


def test_a_failed_compilation_is_repeated(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise MemoryError

    monkeypatch.setattr(warmup, "_run_all", fail)
    with pytest.raises(MemoryError):
        warmup.compile_kernels()
    monkeypatch.setattr(warmup, "_run_all", lambda: None)
    assert warmup.compile_kernels()


@pytest.mark.parametrize("changed", ["kernels/sampling.py", "transport.py"])
def test_an_edited_source_changes_the_cache_folder(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest of all sources names the cache's folder: an edit of an inlined function counts too."""
    copy = tmp_path / "noise"
    (copy / "kernels").mkdir(parents=True)
    for path in [*FOLDER.glob("*.py"), FOLDER.parent / "transport.py"]:
        (copy / path.relative_to(FOLDER.parent)).write_bytes(path.read_bytes())
    monkeypatch.setattr(compiling, "FOLDER", copy / "kernels")
    files = []
    for text in ("", "# an edit\n"):
        (copy / changed).write_text((copy / changed).read_text() + text)
        compiling.digest.cache_clear()
        compiling.cache_file.cache_clear()
        files.append(compiling.cache_file())
    compiling.digest.cache_clear()
    compiling.cache_file.cache_clear()
    assert files[0] and files[1] and files[0] != files[1]


@pytest.mark.slow
def test_a_second_process_compiles_nothing() -> None:
    """With a warm cache Numba loads every kernel from disk."""
    script = (
        "from warpnoise.noise import warmup; from warpnoise.noise.kernels.compile import KERNELS; warmup._run_all(); "
        "print(sum(sum(kernel.loop.stats.cache_misses.values()) for kernel in KERNELS))"
    )
    warmup.compile_kernels()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
