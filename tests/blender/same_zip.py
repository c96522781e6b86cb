"""Ends with an error if two zips hold different files: python same_zip.py FIRST SECOND"""

import sys
import zipfile

first, second = (
    {entry.filename: entry.CRC for entry in zipfile.ZipFile(path).infolist() if not entry.is_dir()}
    for path in sys.argv[1:]
)
if first != second:
    sys.exit(f"they differ in {sorted(dict(first.items() ^ second.items()))}")
