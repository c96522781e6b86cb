#!/usr/bin/env bash
# The add-on's tests inside a real Blender, with its own Python.
#
#   WARPNOISE_PYTHON=.venv/bin/python tests/blender/suite.sh blender      (any command that starts Blender)
set -euo pipefail
blender=("$@")
root=$(cd "$(dirname "$0")/../.." && pwd)
site=$(mktemp -d /tmp/warpnoise-pytest-XXXXXX)
trap 'rm -rf "$site"' EXIT
export BLENDER_USER_RESOURCES=$site/user
mkdir -p "$site/user/config" # or the preferences go to the user's own

version=$("${blender[@]}" --background --factory-startup --python-expr \
  'import sys; print("python={}.{}".format(*sys.version_info))' | sed -n 's/^python=//p')
"${WARPNOISE_PYTHON:?a Python with the backend}" -m pip install --quiet --target "$site" -c "$root/constraints-bpy.txt" \
  --only-binary :all: --python-version "$version" pytest
echo "== add-on in $("${blender[@]}" --version | head -1), Python $version"
"${blender[@]}" --background --factory-startup --python "$root/tests/addon/run_in_blender.py" -- "$site"
