"""``python -m warpnoise``: the same as the ``warpnoise`` command."""

from warpnoise.cli.main import main

if __name__ == "__main__":
    main()
