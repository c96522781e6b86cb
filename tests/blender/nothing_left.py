"""Disables and enables the installed extension twenty times; nothing that it added may be left after a disable.

blender --background --python nothing_left.py
"""

import sys
from pathlib import Path

import addon_utils

sys.path.insert(0, str(Path(__file__).parent))
from traces import traces

MODULE = "bl_ext.user_default.warpnoise"

for _ in range(20):
    addon_utils.disable(MODULE)
    left = {kind: found for kind, found in traces().items() if found}
    if left:
        sys.exit(f"left after disabling: {left}")
    if addon_utils.enable(MODULE) is None or not traces()["operators"]:
        sys.exit("the extension did not come back")
print("disabled and enabled twenty times: nothing is left")
