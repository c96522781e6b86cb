"""The comparison as one HTML file that needs nothing else: no network, no other file."""

from warpnoise.compare.page.write import write_page

__all__ = ["write_page"]
