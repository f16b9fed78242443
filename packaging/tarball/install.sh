#!/bin/sh
# Installs or upgrades flanneld where there is no package for it, or goes back to the version before (--rollback).
# Everything is looked at first; until the new executable has run once beside the old one, nothing is replaced.
set -eu

# include settings.sh
# include service.sh
# include kernel.sh
# include disk.sh

VERSION='@VERSION@'
HERE=$(cd "$(dirname "$0")" && pwd)
UNITS=/etc/systemd/system
SETTINGS=/etc/default/flanneld
PLUGIN=/opt/cni/bin/flannel

usage() {
  cat <<'END_OF_USAGE'
Usage: install.sh [--prefix FOLDER] [--no-start] [--without-vxlan]
       install.sh --rollback [--prefix FOLDER]

Installs flanneld into FOLDER/bin, its unit into /etc/systemd/system and its settings, unless there are some, into
/etc/default/flanneld. Over an earlier version it is an upgrade: a running agent is restarted, and the version before is
kept for --rollback. Without root's rights, or where something stands in the way, nothing is changed.

  --prefix FOLDER   /usr/local by default; /opt where /usr/local cannot be written (CoreOS, Flatcar)
  --no-start        start or restart nothing
  --without-vxlan   the kernel need not have VXLAN: for the backends host-gw and alloc, or another kernel than the running one
  --rollback        put the executable of the version before in its place again
END_OF_USAGE
}

say() {
  echo "install.sh: $*"
}

refuse() {
  echo "install.sh: $1" >&2
  echo 'install.sh: nothing was changed' >&2
  exit 1
}

read_arguments() {
  prefix='' start=yes vxlan=needed mode=install
  while [ $# -gt 0 ]; do
    case $1 in
      --prefix=*) prefix=${1#--prefix=} ;;
      --prefix)
        if [ $# -lt 2 ]; then refuse '--prefix: expected a folder after it'; fi
        prefix=$2
        shift
        ;;
      --no-start) start=no ;;
      --without-vxlan) vxlan=none ;;
      --rollback) mode=rollback ;;
      -h | --help) usage && exit 0 ;;
      *) usage >&2 && exit 2 ;;
    esac
    shift
  done
  case $prefix in '' | /*) ;; *) refuse "--prefix: expected a folder from the root on, found $prefix" ;; esac
  # It stands in units, where blanks, % and the like mean something.
  case $prefix in *[!A-Za-z0-9/._+-]*) refuse "--prefix: expected letters, digits and /._+- only, found $prefix" ;; esac
  while [ "$prefix" != / ] && [ "$prefix" != "${prefix%/}" ]; do prefix=${prefix%/}; done
}

# Where an installation of ours is already; its unit says so.
installed_prefix() {
  if [ -r "$UNITS/flanneld.service" ]; then
    sed -n 's/^# Installed by install.sh .* into \(.*\)$/\1/p' "$UNITS/flanneld.service"
  elif [ -r /usr/local/lib/flannel-agent/files ]; then
    echo /usr/local
  elif [ -r /opt/lib/flannel-agent/files ]; then
    echo /opt
  fi
}

is_writable() {
  mkdir -p "$1" 2>/dev/null && probe=$(mktemp "$1/.flannel-XXXXXX" 2>/dev/null) && rm -f "$probe"
}

choose_places() {
  former=$(installed_prefix)
  if [ -z "$prefix" ]; then
    if [ -n "$former" ]; then prefix=$former
    elif is_writable /usr/local/bin; then prefix=/usr/local
    else prefix=/opt; fi
  fi
  if [ -n "$former" ] && [ "$former" != "$prefix" ]; then
    refuse "installed already in $former: upgrade it there (--prefix $former), or first run $former/lib/flannel-agent/uninstall.sh"
  fi
  PROGRAM=$prefix/bin/flanneld
  LIB=$prefix/lib/flannel-agent
  SHARE=$prefix/share
}

check_rights() {
  if [ "$(id -u)" != 0 ]; then refuse "root's rights are needed: sudo $0"; fi
  if ! is_writable "$prefix/bin"; then
    refuse "$prefix/bin cannot be written; name another place: --prefix /opt"
  fi
}

check_other_installations() {
  if command -v dpkg-query >/dev/null 2>&1 && dpkg-query -W -f '${Status}' flannel-agent 2>/dev/null | grep -q ' installed$'; then
    refuse 'the package flannel-agent is installed: upgrade with apt-get install ./flannel-agent_….deb, or first apt-get remove flannel-agent'
  fi
  unit=$UNITS/flanneld.service
  if [ -e "$unit" ] && ! grep -q '^# Installed by install.sh' "$unit"; then
    refuse "$unit is somebody else's; stop and keep it (systemctl stop flanneld; mv $unit $unit.saved), then try again"
  fi
  if [ -e "$PROGRAM" ] && [ -z "$former" ]; then
    refuse "$PROGRAM is there and not from install.sh; move it away (mv $PROGRAM $PROGRAM.saved), then try again"
  fi
}

check_machine() {
  if [ "$(uname -m)" != '@UNAME@' ]; then
    refuse "this is flanneld for @UNAME@, and the machine is $(uname -m); take the archive for it"
  fi
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p') || :
  if [ -n "$libc" ] && [ "$(printf '%s\n' '@GLIBC@' "$libc" | sort -t. -k1,1n -k2,2n | head -n 1)" != '@GLIBC@' ]; then
    refuse "flanneld needs glibc @GLIBC@ or later, and this machine has $libc; the image (docker load) brings its own"
  fi
  if [ "$vxlan" = needed ] && kernel_lacks_vxlan; then refuse "$NO_VXLAN
(--without-vxlan installs all the same)"; fi
  # Beside the executable its documentation, for which 2 MiB are plenty.
  if lacks_space "$prefix/bin" $((@PROGRAM_KIB@ + 2048)); then
    refuse "$prefix/bin has $(free_kib "$prefix/bin") KiB left, and flanneld takes $((@PROGRAM_KIB@ + 2048))"
  fi
}

# The new executable beside the old one, run once there.
stage_program() {
  STAGED=$prefix/bin/.flanneld.new
  trap 'rm -f "$STAGED"' EXIT
  if ! cp "$HERE/bin/flanneld" "$STAGED"; then refuse "$STAGED could not be written"; fi
  chmod 0755 "$STAGED"
  if command -v restorecon >/dev/null 2>&1; then restorecon "$STAGED" 2>/dev/null || :; fi
  answer=$("$STAGED" --version 2>&1) || refuse "the new executable does not run on this machine: $answer"
  case $answer in *"$VERSION"*) ;; *) refuse "expected version $VERSION of the new executable, found: $answer" ;; esac
  fault=$(settings_fault "$STAGED")
  if [ -n "$fault" ]; then
    warn_of_settings
    refuse "the agent would not start with its settings: $fault
put them right (a running agent runs on meanwhile), then try again"
  fi
}

# put SOURCE TARGET MODE: as a whole or not at all.
put() {
  mkdir -p "$(dirname "$2")"
  cp "$1" "$2.new"
  chmod "$3" "$2.new"
  mv -f "$2.new" "$2"
  echo "$2" >>"$LIB/files.new"
}

replace_program() {
  if [ -e "$PROGRAM" ]; then
    ln -f "$PROGRAM" "$PROGRAM.previous" 2>/dev/null || cp -p "$PROGRAM" "$PROGRAM.previous"
  fi
  mv -f "$STAGED" "$PROGRAM"
  trap - EXIT
}

put_unit() {
  unit=$(mktemp)
  {
    echo "# Installed by install.sh of flannel-agent $VERSION into $prefix"
    sed "s|^\(Exec[A-Za-z]*=[-+!@:]*\)[^ ]*/flanneld|\1$PROGRAM|" "$HERE/systemd/$1"
  } >"$unit"
  put "$unit" "$UNITS/$1" 0644
  rm -f "$unit"
}

put_files() {
  : >"$LIB/files.new"
  for name in $(cd "$HERE/systemd" && echo *.service); do put_unit "$name"; done
  put "$HERE/man/flanneld.8" "$SHARE/man/man8/flanneld.8" 0644
  put "$HERE/completions/flanneld.bash" "$SHARE/bash-completion/completions/flanneld" 0644
  put "$HERE/completions/_flanneld" "$SHARE/zsh/site-functions/_flanneld" 0644
  put "$HERE/completions/flanneld.fish" "$SHARE/fish/vendor_completions.d/flanneld.fish" 0644
  for name in README.md LICENSE CHANGELOG.md THIRD-PARTY-LICENSES.txt; do
    put "$HERE/$name" "$SHARE/doc/flannel-agent/$name" 0644
  done
  for folder in docs examples; do
    if [ -d "$HERE/$folder" ]; then cp -R "$HERE/$folder" "$SHARE/doc/flannel-agent/"; fi
  done
  put "$HERE/uninstall.sh" "$LIB/uninstall.sh" 0755
  if [ ! -e "$SETTINGS" ]; then
    mkdir -p "$(dirname "$SETTINGS")"
    cp "$HERE/default/flanneld" "$SETTINGS"
  fi
  echo "$PROGRAM" >>"$LIB/files.new"
  mv -f "$LIB/files.new" "$LIB/files"
}

# put_link TARGET LINK: unless something is there.
put_link() {
  if [ -e "$2" ] || [ -L "$2" ]; then return 0; fi
  mkdir -p "$(dirname "$2")" 2>/dev/null || :
  ln -s "$1" "$2" || say "no link $2"
}

put_links() {
  put_link "$PROGRAM" "$prefix/bin/mk-docker-opts.sh"
  put_link "$PROGRAM" "$PLUGIN"
}

start_or_restart() {
  if ! has_systemd; then
    say 'systemd does not run here: nothing was started; see docs/install.md, and examples/init for other inits'
    return 0
  fi
  systemctl daemon-reload
  if [ "$start" = no ]; then return 0; fi
  if is_running; then
    restart
  elif [ -n "$former" ]; then
    say 'flanneld was not running and is not started: systemctl start flanneld'
  elif is_configured; then
    systemctl enable flanneld.service
    systemctl --no-block start flanneld.service
    result=0
    wait_for_agent 0 || result=$?
    say_what_agent_does "$result"
  else
    say "not started, since nothing says where etcd is: edit $SETTINGS, then systemctl enable --now flanneld"
  fi
}

restart() {
  process_before=$(unit_property MainPID)
  systemctl --no-block restart flanneld.service
  result=0
  wait_for_agent "$process_before" || result=$?
  if [ "$result" = 1 ] && [ "$mode" = install ] && [ -e "$PROGRAM.previous" ]; then
    say 'the new flanneld did not come back; the version before is put in its place again' >&2
    roll_back
    exit 1
  fi
  say_what_agent_does "$result"
  [ "$result" != 1 ]
}

# Exchanges the executable with the one before: a rollback can be rolled back.
roll_back() {
  mode=rollback
  ln -f "$PROGRAM.previous" "$PROGRAM.next" 2>/dev/null || cp -p "$PROGRAM.previous" "$PROGRAM.next"
  ln -f "$PROGRAM" "$PROGRAM.previous.new" 2>/dev/null || cp -p "$PROGRAM" "$PROGRAM.previous.new"
  mv -f "$PROGRAM.next" "$PROGRAM"
  mv -f "$PROGRAM.previous.new" "$PROGRAM.previous"
  say "$PROGRAM is again $("$PROGRAM" --version | head -n 1)"
  if has_systemd && [ "$start" = yes ]; then
    systemctl reset-failed flanneld.service 2>/dev/null || :
    if is_running || systemctl -q is-enabled flanneld.service; then restart; fi
  fi
}

read_arguments "$@"
choose_places
check_rights
if [ "$mode" = rollback ]; then
  if [ ! -e "$PROGRAM.previous" ]; then refuse "there is no version before: $PROGRAM.previous is missing"; fi
  "$PROGRAM.previous" --version >/dev/null || refuse "$PROGRAM.previous does not run"
  roll_back
  exit 0
fi
check_other_installations
check_machine
stage_program
warn_of_settings
mkdir -p "$LIB"
put_files
replace_program
put_links
say "flanneld $VERSION is $PROGRAM"
start_or_restart
