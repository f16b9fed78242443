# shellcheck shell=bash
# Services of systemd.

unit_property() { systemctl show --value --property="$2" "$1"; }

enable_service() {
  systemctl --quiet is-enabled "$1" 2>/dev/null && return
  systemctl --quiet enable "$1"
  changed "$1 is started with the machine"
}

# start_service VERB UNIT: waits until it is up, but not for ever: flanneld's unit would wait for etcd for days.
start_service() {
  local verb=$1 unit=$2
  systemctl reset-failed "$unit" 2>/dev/null || true
  timeout "$WAIT" systemctl "$verb" "$unit" || not_started "$unit"
  changed "$unit ${verb}ed"
}

not_started() {
  local unit=$1 status
  status=$(unit_property "$unit" StatusText)
  journalctl --no-pager --quiet --output=cat --lines=15 --unit="$unit" >&2 || true
  fail "$unit did not start within $WAIT s${status:+; it says: $status}" \
    "The end of its journal stands above; all of it: journalctl -u $unit"
}

reload_units() {
  [ "$UNITS_ARE_NEW" = yes ] || return 0
  systemctl daemon-reload
  UNITS_ARE_NEW=no
}

# run_service UNIT CHANGED_BEFORE: started when it is not, restarted when something was changed since.
run_service() {
  local unit=$1 before=$2
  reload_units
  enable_service "$unit"
  if [ "$(unit_property "$unit" ActiveState)" != active ]; then
    start_service start "$unit"
  elif [ "$CHANGES" -ne "$before" ]; then
    start_service restart "$unit"
  fi
}
