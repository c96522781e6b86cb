"""Writes the comparison as a single HTML file, which needs no network and no other files."""
