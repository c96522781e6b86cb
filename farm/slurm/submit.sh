#!/bin/sh
# An animation rendered and stylized by Slurm: arrays of tasks, each step after the one that it needs. See docs/farms.md.
#
#   submit.sh SCENE.blend RANGE JOB OUT.blend
#
# RANGE: the shot's frames, as 1-240. JOB: the job folder, on storage that all nodes share. Prints the number of each job.
# From the environment:
#   PASS_TASKS (10), STYLIZE_TASKS (5)        equal parts of the frames
#   BLENDER (blender), WARPNOISE (warpnoise)  the programs
#   SBATCH_PASSES (-c 2 --mem=4G), SBATCH_STYLIZE (--gpus=1 --mem=8G), SBATCH_OTHERS ()
#                                             options of sbatch; yours replace those in brackets
set -eu

if [ $# -ne 4 ]; then
  sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
SCENE=$(realpath "$1") RANGE=$2 JOB=$(realpath -m "$3") OUT=$(realpath -m "$4")
BLENDER=${BLENDER:-blender} WARPNOISE=${WARPNOISE:-warpnoise}
PASS_TASKS=${PASS_TASKS:-10} STYLIZE_TASKS=${STYLIZE_TASKS:-5}
export SCENE RANGE JOB OUT BLENDER WARPNOISE PASS_TASKS STYLIZE_TASKS
mkdir -p "$JOB/slurm"

# NAME DEPENDENCY "OPTIONS" 'COMMAND'. A task whose node dies is queued again and continues where it stopped. SIGTERM
# comes first, so that a task ends by itself; a requeued one appends to its log.
submit() {
  name=$1 dependency=$2 options=$3 command=$4
  # shellcheck disable=SC2086  # options are several words
  sbatch --parsable --requeue --open-mode=append --job-name="warpnoise-$name" --output="$JOB/slurm/$name-%j.log" \
    --kill-on-invalid-dep=yes ${dependency:+--dependency=afterok:$dependency} $options <<END
#!/bin/sh
exec $command
END
}

blender='"$BLENDER" --background "$SCENE" --command warpnoise'
part='$SLURM_ARRAY_TASK_ID'
passes=$(submit passes "" "--array=1-$PASS_TASKS ${SBATCH_PASSES:--c 2 --mem=4G}" \
  "$blender"' export --frames="$RANGE" --chunk='"$part"'/$PASS_TASKS --output "$JOB"')
keys=$(submit keyframes "$passes" "${SBATCH_STYLIZE:---gpus=1 --mem=8G}" '"$WARPNOISE" keyframes "$JOB"')
stylize=$(submit stylize "$keys" "--array=1-$STYLIZE_TASKS ${SBATCH_STYLIZE:---gpus=1 --mem=8G}" \
  '"$WARPNOISE" stylize "$JOB" --chunk='"$part"'/$STYLIZE_TASKS --no-movie')
accumulate=$(submit accumulate "$stylize" "${SBATCH_OTHERS:-}" '"$WARPNOISE" accumulate "$JOB"')
movie=$(submit movie "$accumulate" "${SBATCH_OTHERS:-}" '"$WARPNOISE" movie "$JOB"')
compositor=$(submit compositor "$accumulate" "${SBATCH_OTHERS:-}" "$blender"' compositor --output "$JOB" --save "$OUT"')
for name in passes keys stylize accumulate movie compositor; do
  eval "echo $name \$$name"
done
