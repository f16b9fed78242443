#!/usr/bin/env bash
# Makes this machine a host of the walkthrough (vagrant/README.md): etcd on the master, flanneld and Docker on both.
# What is as it should be is left alone, so it can be run again at any time.
set -Eeuo pipefail
trap 'printf "setup.sh: stopped at %s, line %s: %s\n" "${BASH_SOURCE[0]}" "$LINENO" "$BASH_COMMAND" >&2' ERR

usage() {
  cat <<'TEXT'
usage: setup.sh master|slave

  master   etcd with the network configuration, flanneld, Docker
  slave    flanneld, Docker; joins the master's etcd

Variables:
  MASTER_IP        address of the master (192.168.33.10)
  NODE_IP          address of this machine in the network that the machines share
                   (the one it reaches the master from)
  NETWORK_CONFIG   network configuration for etcd (JSON); only the master reads it, and what etcd has already is
                   replaced only when this is given
  DIST             folder with flanneld or its package (dist, beside this folder)
  WAIT             seconds that are waited for the master, and for each service (300)
TEXT
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PACKAGING=$HERE/../packaging
MASTER_IP=${MASTER_IP:-192.168.33.10}
NODE_IP=${NODE_IP:-}
NETWORK_CONFIG=${NETWORK_CONFIG:-}
DIST=${DIST:-$HERE/../dist}
WAIT=${WAIT:-300}

# shellcheck source=vagrant/lib/say.sh
. "$HERE/lib/say.sh"
# shellcheck source=vagrant/lib/files.sh
. "$HERE/lib/files.sh"
# shellcheck source=vagrant/lib/packages.sh
. "$HERE/lib/packages.sh"
# shellcheck source=vagrant/lib/services.sh
. "$HERE/lib/services.sh"
# shellcheck source=vagrant/lib/addresses.sh
. "$HERE/lib/addresses.sh"
# shellcheck source=vagrant/lib/etcd.sh
. "$HERE/lib/etcd.sh"
# shellcheck source=vagrant/lib/flanneld.sh
. "$HERE/lib/flanneld.sh"
# shellcheck source=vagrant/lib/docker.sh
. "$HERE/lib/docker.sh"

need_machine() {
  [ "$(id -u)" -eq 0 ] || fail 'root is needed' "sudo $0 $*"
  [ -d /run/systemd/system ] || fail 'systemd does not run on this machine'
  command -v apt-get >/dev/null || fail 'there is no apt-get on this machine' \
    'Choose a box of Debian or Ubuntu; packaging/ has units and recipes for others.'
  [[ $WAIT =~ ^[0-9]{1,6}$ ]] || fail "WAIT=$WAIT: expected seconds, a whole number"
}

main() {
  case "$#:${1:-}" in
    1:master | 1:slave) ;;
    1:-h | 1:--help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  local role=$1
  need_machine "$@"
  choose_addresses "$role"
  need_flanneld
  if [ "$role" = master ]; then run_etcd; else join_etcd; fi
  run_flanneld
  run_docker
  finish "$role"
}

main "$@"
