# Runs a command, and shows what it prints only if it fails. Outside of the add-on's own switches nothing may be printed as
# a Python error. Needs $work, a folder.
quietly() {
  "$@" >"$work/log" 2>&1 || { local status=$?; cat "$work/log"; return $status; }
  ! grep -q Traceback "$work/log" || { cat "$work/log"; return 1; }
}
