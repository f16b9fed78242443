#!/bin/sh
# Takes away what install.sh has put there. Settings and what forwards stay, unless --purge is given.
set -eu

# include settings.sh
# include service.sh

UNITS=/etc/systemd/system
PLUGIN=/opt/cni/bin/flannel

usage() {
  cat <<'END_OF_USAGE'
Usage: uninstall.sh [--purge]

Stops flanneld and removes its files. Forwarding goes on until a reboot, and settings and lease stay, so that another
installation goes on where this one ended.

  --purge   also takes away devices, routes and rules, gives the lease back, and removes the settings
END_OF_USAGE
}

say() {
  echo "uninstall.sh: $*"
}

is_purge=no
for argument in "$@"; do
  case $argument in
    --purge) is_purge=yes ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done
if [ "$(id -u)" != 0 ]; then
  say "root's rights are needed: sudo $0; nothing was changed" >&2
  exit 1
fi

LIB=$(cd "$(dirname "$0")" && pwd)
if [ ! -r "$LIB/files" ]; then
  LIB=$(sed -n 's|^# Installed by install.sh .* into \(.*\)$|\1/lib/flannel-agent|p' "$UNITS/flanneld.service" 2>/dev/null || :)
fi
if [ ! -r "$LIB/files" ]; then
  say 'there is no installation by install.sh here; nothing was changed' >&2
  exit 1
fi
PREFIX=${LIB%/lib/flannel-agent}
PROGRAM=$PREFIX/bin/flanneld

# include cleanup.sh

if has_systemd; then
  systemctl disable flanneld.service 2>/dev/null || :
  trap unmask_units EXIT
  stop_for_good
else
  say 'systemd does not run here: stop flanneld yourself if it runs'
fi
for file in "$UNITS"/docker.service.d/*.conf; do
  if [ -e "$file" ] && grep -q flannel-docker-opts "$file"; then
    say "$file asks for a unit that goes: remove it before Docker is started again" >&2
  fi
done
if [ "$is_purge" = yes ]; then
  with_settings clean_up "$PROGRAM"
  rm -f /etc/default/flanneld
  remove_state
fi

for link in "$PREFIX/bin/mk-docker-opts.sh" "$PLUGIN"; do
  if [ "$(readlink "$link" 2>/dev/null || :)" = "$PROGRAM" ]; then rm -f "$link"; fi
done
rmdir /opt/cni/bin /opt/cni 2>/dev/null || :
while IFS= read -r file; do rm -f "$file"; done <"$LIB/files"
rm -rf "$PROGRAM.previous" "$PREFIX/share/doc/flannel-agent" "$LIB"
unmask_units
trap - EXIT
if has_systemd; then
  systemctl reset-failed flanneld.service 2>/dev/null || :
fi
if [ "$is_purge" = yes ]; then say 'everything is gone'; else say 'files are gone; forwarding goes on until a reboot'; fi
