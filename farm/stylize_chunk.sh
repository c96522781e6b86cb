#!/bin/sh
# One part of an animation on one machine of a farm; see docs/farms.md.
#
#   stylize_chunk.sh K/N  SCENE.blend RANGE JOB [more arguments of `warpnoise stylize`]
#   stylize_chunk.sh last SCENE.blend RANGE JOB [more arguments, such as --save OUT.blend]
#
# RANGE: the shot's frames, as 1-240. K/N renders and stylizes part K of N. `last`, after all parts, makes what is still missing, writes the movie, and brings
# the result into the compositor. BLENDER names the program (blender); or BPY_PYTHON a Python with the bpy wheel, from the
# repository's root. A failed part is tried again, TRIES times in all (3); what is finished is not made again. Coherence
# is off: with it, a part would need frames that other machines render.
set -u

if [ $# -lt 4 ]; then
  sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
part=$1 scene=$2 frames=$3 job=$4
shift 4
case $part in
  last) set -- --coherence off --keep-existing "$@" ;;
  *) set -- --chunk "$part" --coherence off "$@" ;;
esac

stylize() {
  if [ -n "${BPY_PYTHON:-}" ]; then
    "$BPY_PYTHON" -m warpnoise_addon "$scene" stylize "--frames=$frames" --output "$job" "$@"
  else
    "${BLENDER:-blender}" --background "$scene" --command warpnoise stylize "--frames=$frames" --output "$job" "$@"
  fi
}

try=1
while true; do
  stylize "$@"
  status=$?
  case $status in
    0 | 2 | 5 | 130) exit $status ;; # done; or arguments, settings and models that stay wrong; or cancelled
  esac
  [ "$try" -ge "${TRIES:-3}" ] && exit $status
  echo "stylize_chunk: part $part failed with $status, try $try of ${TRIES:-3}" >&2
  try=$((try + 1))
done
