#!/usr/bin/env bash
# The extension from a repository in a real Blender: installed, its preferences and a scene's settings set, updated to a
# version that was raised there, all as it was; then uninstalled, and nothing is left.
#
#   tests/blender/update.sh blender      (any command that starts Blender)
set -euo pipefail
blender=("$@")
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d /tmp/warpnoise-update-XXXXXX)
trap 'rm -rf "$work"' EXIT
export BLENDER_USER_RESOURCES=$work/user
mkdir -p "$work/user/config" # or the preferences go to the user's own
cp "$root/tests/blender/update.py" "$work"
. "$root/tests/blender/quietly.sh"
step() { quietly "${blender[@]}" "${@:2}" --python-exit-code 1 --python "$work/update.py" -- "$1" "$work"; }

# A copy of what is in the repository: of other files a working folder may have many.
release() { # VERSION: builds it into the repository
  mkdir -p "$work/source" "$work/repository"
  rm -f "$work/repository/"*.zip # a repository offers one version of an extension
  (cd "$root" && git ls-files -z | xargs -0 cp --parents -t "$work/source")
  sed -i "s/^version = .*/version = \"$1\"/" "$work/source/blender_manifest.toml"
  quietly "${blender[@]}" --command extension build --source-dir "$work/source" --output-dir "$work/repository"
  quietly "${blender[@]}" --command extension server-generate --repo-dir "$work/repository"
}

echo "== $("${blender[@]}" --version | head -1): installed from a repository"
release 0.1.0
quietly "${blender[@]}" --command extension repo-add --clear-all --name Farm --url "file://$work/repository/index.json" farm
quietly "${blender[@]}" --online-mode --command extension sync
quietly "${blender[@]}" --online-mode --command extension install --enable warpnoise
step "set 0.1.0" --background

echo "== updated"
release 0.2.0
quietly "${blender[@]}" --online-mode --command extension update --sync
step "read 0.2.0" --background "$work/scene.blend"

echo "== uninstalled"
quietly "${blender[@]}" --online-mode --command extension remove warpnoise
step "gone" --background "$work/scene.blend"
echo "== updating works in $("${blender[@]}" --version | head -1)"
