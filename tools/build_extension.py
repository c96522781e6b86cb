"""Build dist/warpnoise-VERSION.zip, the extension with the backend's wheel in it, and the wheel. Needs no Blender.

    python -m tools.build_extension [--output dist]

The zip holds what `blender --command extension build` packs: all files of the repository but those that the manifest
excludes. It is reproducible: the same files give the same bytes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pathspec

ROOT = Path(__file__).resolve().parents[1]
WHEEL = ROOT / "warpnoise_addon" / "wheel"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can state."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="the folder of the zip")
    parser.add_argument("--wheel-only", action="store_true", help="only put the wheel into warpnoise_addon/wheel")
    arguments = parser.parse_args()
    wheel = build_wheel()
    if not arguments.wheel_only:
        print(build_zip(arguments.output))
        print(shutil.copy2(wheel, arguments.output))


def build_wheel() -> Path:
    """Put the backend's wheel, and no other, into the add-on. Returns its path."""
    shutil.rmtree(WHEEL, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(WHEEL)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = WHEEL.glob("*.whl")
    return wheel


def build_zip(folder: Path, root: Path = ROOT) -> Path:
    """Pack the extension in ``root``. Returns the zip's path."""
    manifest = tomllib.loads((root / "blender_manifest.toml").read_text(encoding="utf-8"))
    excluded = pathspec.GitIgnoreSpec.from_lines(manifest["build"]["paths_exclude_pattern"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{manifest['id']}-{manifest['version']}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(_files(root, excluded)):
            stored = file.suffix == ".whl"  # is a zip itself
            info = zipfile.ZipInfo(file.relative_to(root).as_posix(), LONG_AGO)
            info.external_attr = 0o644 << 16
            compression = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, file.read_bytes(), compression)
    return path


def _files(root: Path, excluded: pathspec.GitIgnoreSpec, folder: Path | None = None) -> Iterator[Path]:
    for path in (folder or root).iterdir():
        name = path.relative_to(root).as_posix()
        if path.is_dir() and not excluded.match_file(f"{name}/"):
            yield from _files(root, excluded, path)
        elif path.is_file() and not excluded.match_file(name):
            yield path


if __name__ == "__main__":
    main()
