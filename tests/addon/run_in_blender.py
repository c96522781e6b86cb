"""The add-on's tests inside Blender, with Blender's own Python: the same suite that runs in the bpy wheels.

    pip install --target SITE --only-binary :all: --python-version 3.13 pytest      (Blender's Python)
    blender --background --factory-startup --python tests/addon/run_in_blender.py -- SITE [PYTEST_ARGUMENT ...]

Blender ends with pytest's exit status. Without arguments for pytest, all of ``tests/addon`` runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    if not arguments or not Path(arguments[0]).is_dir():
        sys.exit("run_in_blender.py: expected the folder that pytest is installed in, after `--`")
    site, *rest = arguments
    sys.path.insert(0, site)
    import pytest

    here = Path(__file__).resolve().parent
    os.chdir(here.parents[1])
    # Blender has replaced what `import bpy` would search for; nothing of the host's Python is wanted beside SITE.
    status = pytest.main([*(rest or [str(here)]), "-p", "no:cacheprovider"])
    sys.stdout.flush()
    # Not sys.exit: Blender would go on from a script's end to its own.
    os._exit(int(status))


main()
