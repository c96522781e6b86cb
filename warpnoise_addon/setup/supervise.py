"""Run a command, and end it and its children when standard input closes: `python supervise.py COMMAND...`.

Only Blender holds the other end of that pipe, so pip ends with Blender, even if Blender crashes. A plain Python runs
this script: it imports nothing of the add-on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def wait_for_parent() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        if os.name == "nt":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
            os._exit(130)
        os.killpg(0, signal.SIGKILL)  # we lead the group, so that includes ourselves

    threading.Thread(target=wait_for_parent, daemon=True).start()
    status = process.wait()
    sys.stdout.flush()
    os._exit(status if status >= 0 else 1)


if __name__ == "__main__":
    main()
