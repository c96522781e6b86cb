#!/usr/bin/env bash
# The built extension in a real Blender, as a user has it: build, validate, install from file, enable, stylize a scene
# from the command line, render the saved result through its compositor, disable.
#
#   WARPNOISE_PYTHON=.venv/bin/python tests/blender/extension.sh blender      (any command that starts Blender)
set -euo pipefail
blender=("$@")
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d /tmp/warpnoise-blender-XXXXXX)
trap 'rm -rf "$work"; [ -z "${xvfb:-}" ] || kill "$xvfb"' EXIT
export BLENDER_USER_RESOURCES=$work/user
mkdir -p "$work/user/config" "$work/blenders" # or the preferences go to the user's own
. "$root/tests/blender/quietly.sh"

echo "== $("${blender[@]}" --version | head -1): build and validate"
quietly "${blender[@]}" --command extension validate "$root"
(cd "$root" && "${WARPNOISE_PYTHON:?a Python with the backend}" -m tools.build_extension --output "$work")
zip=$(echo "$work"/warpnoise-*.zip)
echo "   $(basename "$zip"), $(du -k "$zip" | cut -f1) KiB"
quietly "${blender[@]}" --command extension build --source-dir "$root" --output-dir "$work/blenders"
"$WARPNOISE_PYTHON" "$root/tests/blender/same_zip.py" "$zip" "$work/blenders"/warpnoise-*.zip
quietly "${blender[@]}" --command extension validate "$zip"

echo "== install and enable"
quietly "${blender[@]}" --command extension install-file --repo user_default --enable "$zip"

echo "== stylize from the command line"
"${WARPNOISE_PYTHON:?a Python with the backend}" -m warpnoise demo --scene-only --frames 4 --output "$work/demo" "--blender=${blender[*]}"
"${blender[@]}" "$work/demo/scene.blend" --command warpnoise stylize --frames 1:4 --output "$work/job" \
  --steps 4 --save "$work/stylized.blend"
for frame in 0001 0002 0003 0004; do test -s "$work"/job/results/*/frames/$frame.png; done
test -s "$work"/job/results/*/movie.mp4

echo "== the saved compositor shows the stylized frame"
quietly "${blender[@]}" --background "$work/stylized.blend" --python-exit-code 1 --python "$root/tests/blender/through_compositor.py" -- "$work/job"

# EEVEE wants OpenGL, which a software renderer gives on any X display.
if [ -z "${DISPLAY:-}" ] && command -v Xvfb >/dev/null; then
  Xvfb -displayfd 1 -screen 0 640x480x24 >"$work/display" 2>/dev/null &
  xvfb=$!
  for _ in $(seq 100); do [ -s "$work/display" ] && break; sleep 0.1; done
  export DISPLAY=:$(cat "$work/display") LIBGL_ALWAYS_SOFTWARE=1
fi
if [ -n "${DISPLAY:-}" ]; then
  echo "== an EEVEE scene"
  quietly "${blender[@]}" --background --factory-startup --python "$root/tests/blender/eevee_scene.py" -- "$work/eevee.blend"
  "${blender[@]}" "$work/eevee.blend" --gpu-backend opengl --command warpnoise stylize --frames 1:4 --output "$work/eevee" \
    --steps 4 --save "$work/eevee_stylized.blend"
  quietly "${blender[@]}" --background "$work/eevee_stylized.blend" --gpu-backend opengl --python-exit-code 1 \
    --python "$root/tests/blender/through_compositor.py" -- "$work/eevee"
else
  echo "== no display: EEVEE was not tried"
fi

echo "== disable"
quietly "${blender[@]}" --background --python-exit-code 1 --python "$root/tests/blender/nothing_left.py"
echo "== the extension works in $("${blender[@]}" --version | head -1)"
