# shellcheck shell=bash
# Docker on this machine's subnet.

DOCKER_UNITS=/etc/systemd/system/docker.service.d
OPTIONS_UNITS=/etc/systemd/system/flannel-docker-opts.service.d

run_docker() {
  step 'Docker'
  need_daemon_json
  # Before Docker is there: its package starts it, and it should not take another network even then.
  put_file "$DOCKER_UNITS/flannel.conf" "$(cat "$PACKAGING/systemd/docker.service.d/flannel.conf")"
  command -v dockerd >/dev/null || install_packages docker.io ca-certificates tcpdump
  let_hosts_in
  pass_options
  reload_units
  enable_service docker.service
  start_docker
  check_bridge
  check_forwarding
}

# Docker does not start when an option stands in both places.
need_daemon_json() {
  local file=/etc/docker/daemon.json name
  for name in bip mtu ip-masq bridge; do
    ! grep -qs "\"$name\"[[:space:]]*:" "$file" ||
      fail "$file sets \"$name\", which flannel is to decide" "Remove it there and run this again."
  done
}

# Since version 28 Docker drops what other hosts send to the addresses of containers, if it is not told otherwise.
let_hosts_in() {
  ! has_direct_routing || put_file "$OPTIONS_UNITS/direct-routing.conf" \
    "$(printf '[Service]\nEnvironment=DOCKER_OPT_DIRECT_ROUTING=--allow-direct-routing')"
}

has_direct_routing() { dockerd --help 2>/dev/null | grep -q -- '--allow-direct-routing'; }

# The unit of docker.com's packages does not mention the variable that has the options; Debian's and Ubuntu's does.
# shellcheck disable=SC2016 # systemd replaces the variable, not this shell
pass_options() {
  local command
  command=$(unit_property docker.service ExecStart | sed -n 's/.*argv\[\]=\(.*\) ; ignore_errors.*/\1/p')
  case $command in
    '') fail 'docker.service has no command' 'Is it masked? systemctl status docker' ;;
    *'$DOCKER_OPTS'*) ;;
    *) put_file "$DOCKER_UNITS/flannel-options.conf" \
      "$(printf '[Service]\nExecStart=\nExecStart=%s $DOCKER_OPTS' "$command")" ;;
  esac
}

# Words that the running Docker must have been started with.
options_of_flannel() {
  local file=/run/flannel/subnet.env masq=true
  [ "$(variable_of "$file" FLANNEL_IPMASQ)" != true ] || masq=false
  printf -- '--bip=%s\n--mtu=%s\n--ip-masq=%s\n' \
    "$(variable_of "$file" FLANNEL_SUBNET)" "$(variable_of "$file" FLANNEL_MTU)" "$masq"
  ! has_direct_routing || printf -- '--allow-direct-routing\n'
}

# The first option that the running Docker lacks.
lacking_option() {
  local words option
  words=$(tr '\0' '\n' <"/proc/$(unit_property docker.service MainPID)/cmdline")
  while read -r option; do
    grep -qxF -- "$option" <<<"$words" || { printf '%s\n' "$option" && return; }
  done < <(options_of_flannel)
}

start_docker() {
  local lacking
  if [ "$(unit_property docker.service ActiveState)" != active ]; then
    start_service start docker.service
    return
  fi
  lacking=$(lacking_option)
  [ -n "$lacking" ] || return 0
  note "Docker runs without $lacking; it is restarted, and containers without a restart policy end"
  start_service restart docker.service
}

check_bridge() {
  local subnet found
  subnet=$(subnet_of_flannel)
  found=$(ip -4 -o address show dev docker0 2>/dev/null | awk '{ print $4 }')
  grep -qxF "$subnet" <<<"$found" || fail "docker0 has ${found:-no address} and not $subnet" \
    'systemctl cat docker shows what Docker is started with, /run/docker_opts.env what it should be.'
}

# Docker lets nothing be forwarded when it had to turn forwarding on itself; the agent's rules let the overlay through.
check_forwarding() {
  local rules
  rules=$(iptables -S FORWARD 2>/dev/null) || return 0
  if [[ $rules == *'-P FORWARD DROP'* && $rules != *FLANNEL-FWD* ]]; then
    warn "iptables' FORWARD drops by default, and flanneld has no rules there" \
      'Remove FLANNELD_IPTABLES_FORWARD_RULES=false from /etc/default/flanneld, or accept the overlay yourself.'
  fi
  if command -v ufw >/dev/null && [[ $(ufw status 2>/dev/null) == *'Status: active'* ]]; then
    warn 'ufw is active, and may drop what the hosts send each other' \
      "ufw allow proto udp from ${NODE_IP%.*}.0/24 to any; on the master also: ufw allow 2379/tcp"
  fi
}
