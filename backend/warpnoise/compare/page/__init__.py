"""Writes the comparison as a single HTML file, which needs no network and no other files."""

from warpnoise.compare.page.write import write_page

__all__ = ["write_page"]
