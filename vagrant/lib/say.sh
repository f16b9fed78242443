# shellcheck shell=bash
# What the operator reads.

CHANGES=0

# A heading; what is changed below it follows.
step() { printf '%s\n' "$*"; }

# Something was changed: counted, and said.
changed() {
  CHANGES=$((CHANGES + 1))
  printf '  changed: %s\n' "$*"
}

note() { printf '  %s\n' "$*"; }

warn() {
  printf 'setup.sh: warning: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
}

# What is wrong, then what to do about it, a line each.
fail() {
  printf 'setup.sh: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

finish() {
  local role=$1 subnet
  subnet=$(subnet_of_flannel)
  case $CHANGES in
    0) step "Nothing to change: this $role has the subnet $subnet" ;;
    1) step "1 change: this $role has the subnet $subnet" ;;
    *) step "$CHANGES changes: this $role has the subnet $subnet" ;;
  esac
}
