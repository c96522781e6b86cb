"""Leases on a result's frames: who may have which at the same time, and what ends them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from warpnoise.errors import JobError, JobLockedError
from warpnoise.job.leases import lease, movie_lease


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ink-0" / "leases").mkdir(parents=True)
    return tmp_path / "ink-0"


def test_two_in_one_process_cannot_have_the_same_frames(folder: Path) -> None:
    with lease(folder, 1, 4), pytest.raises(JobLockedError, match="works on frames 1 to 4 of"), lease(folder, 4, 9):
        pass
    with lease(folder, 4, 9):  # free again
        pass


def test_frames_that_do_not_meet_and_the_movie_can_be_leased_together(folder: Path) -> None:
    with lease(folder, -3, -1), lease(folder, 0, 2), lease(folder, 4, 4), movie_lease(folder):
        for first, last in ((-1, -1), (2, 3), (-9, 9)):
            with pytest.raises(JobLockedError), lease(folder, first, last):
                pass
        with pytest.raises(JobLockedError, match="the movie"), movie_lease(folder):
            pass
    assert not [path for path in (folder / "leases").iterdir() if "_" in path.name]


def test_another_process_s_lease_ends_with_it(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from warpnoise.job.leases import lease\n"
        "with lease(Path(sys.argv[1]), 1, 4):\n    print('leased', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None and other.stdout.readline() == "leased\n"
        with pytest.raises(JobLockedError), lease(folder, 1, 1):
            pass
        other.kill()
    with lease(folder, 1, 1):
        pass


def test_a_missing_folder_cannot_be_leased(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(JobError, match="Cannot lock"), lease(folder, 1, 1):
            pass
