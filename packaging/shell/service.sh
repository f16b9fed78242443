has_systemd() {
  [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1
}

# unit_property NAME
unit_property() {
  systemctl show --property="$1" flanneld.service 2>/dev/null | sed "s/^$1=//"
}

# is_running: whether the unit has a process, ready or not.
is_running() {
  case $(unit_property ActiveState) in
    active | activating | reloading) [ "$(unit_property MainPID)" != 0 ] ;;
    *) return 1 ;;
  esac
}

# wait_for_agent PID: waits until the unit has a process other than PID that is ready. Ends with 0 then; with 1 when it failed;
# with 2 when it runs and says what it waits for, which may take for ever.
wait_for_agent() {
  restarts=$(unit_property NRestarts)
  for second in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    process=$(unit_property MainPID)
    case $(unit_property ActiveState)/$(unit_property SubState) in
      active/*) if [ "$process" != 0 ] && [ "$process" != "$1" ]; then return 0; fi ;;
      failed/* | */auto-restart*) return 1 ;;
    esac
    if [ "$(unit_property NRestarts)" != "$restarts" ]; then return 1; fi
    if [ "$second" -ge 8 ] && is_running && [ "$process" != "$1" ] && [ -n "$(unit_property StatusText)" ]; then return 2; fi
    sleep 1
  done
  return 1
}

# say_what_agent_does RESULT: of wait_for_agent.
say_what_agent_does() {
  case $1 in
    0) echo "flanneld runs: $(unit_property StatusText)" ;;
    2) echo "flanneld runs, and waits: $(unit_property StatusText)" ;;
    *) echo "flanneld does not run; why: journalctl -u flanneld" ;;
  esac
}

# Of the folders for units in /run the one that comes before /etc, where ours may lie (systemd.unit(5)); `systemctl --runtime mask` takes
# one that comes after it.
MASKS=/run/systemd/system.control

# stop_for_good: until unmask_units. Docker, which somebody may call by its socket at any moment, wants these units and would start
# them again while their files go.
stop_for_good() {
  mkdir -p "$MASKS"
  for unit in flanneld.service flannel-docker-opts.service; do ln -sf /dev/null "$MASKS/$unit"; done
  systemctl daemon-reload || :
  systemctl stop flanneld.service flannel-docker-opts.service || :
}

unmask_units() {
  if has_systemd; then
    rm -f "$MASKS/flanneld.service" "$MASKS/flannel-docker-opts.service"
    rmdir "$MASKS" 2>/dev/null || :
    systemctl daemon-reload || :
  fi
}
