"""Leases on a result's frames: who may have which at the same time, and what ends them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from warpnoise.errors import JobError, JobLockedError
from warpnoise.job import Result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ink-0" / "leases").mkdir(parents=True)
    return tmp_path / "ink-0"


def test_two_in_one_process_cannot_have_the_same_frames(folder: Path) -> None:
    with (
        Result(folder).lease(1, 4),
        pytest.raises(JobLockedError, match="works on frames 1 to 4 of"),
        Result(folder).lease(4, 9),
    ):
        pass
    with Result(folder).lease(4, 9):  # free again
        pass


def test_frames_that_do_not_meet_and_the_movie_can_be_leased_together(folder: Path) -> None:
    with (
        Result(folder).lease(-3, -1),
        Result(folder).lease(0, 2),
        Result(folder).lease(4, 4),
        Result(folder).movie_lease(),
    ):
        for first, last in ((-1, -1), (2, 3), (-9, 9)):
            with pytest.raises(JobLockedError), Result(folder).lease(first, last):
                pass
        with pytest.raises(JobLockedError, match="the movie"), Result(folder).movie_lease():
            pass
    assert not [path for path in (folder / "leases").iterdir() if "_" in path.name]


def test_another_process_s_lease_ends_with_it(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from warpnoise.job import Result\n"
        "with Result(Path(sys.argv[1])).lease(1, 4):\n    print('leased', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None and other.stdout.readline() == "leased\n"
        with pytest.raises(JobLockedError), Result(folder).lease(1, 1):
            pass
        other.kill()
    with Result(folder).lease(1, 1):
        pass


def test_a_missing_folder_cannot_be_leased(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(JobError, match="Cannot lock"), Result(folder).lease(1, 1):
            pass
