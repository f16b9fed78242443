# shellcheck shell=bash
# etcd: the package's own, on the master.

CONFIG_KEY=/coreos.com/network/config
DEFAULT_CONFIG='{"Network":"10.0.0.0/8","SubnetLen":20,"SubnetMin":"10.10.0.0","SubnetMax":"10.99.0.0","Backend":{"Type":"vxlan","VNI":100,"Port":8472}}'

# The package's unit gives up for good when the address is not there yet at boot.
ETCD_UNIT='[Unit]
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Restart=always
RestartSec=2'

# etcdctl against the master, past any proxy that packages come through.
master_etcdctl() {
  env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY ETCDCTL_API=3 \
    etcdctl --endpoints="http://$MASTER_IP:2379" --dial-timeout=2s --command-timeout=5s "$@"
}

# Nothing but the package's etcd may be at these ports: one started by hand, or in a container, would be in its way.
need_ports() {
  local port ours line pid name
  ours=$(unit_property etcd.service MainPID)
  for port in 2379 2380; do
    while read -r line; do
      [[ $line =~ \"([^\"]*)\",pid=([0-9]+) ]] || continue
      name=${BASH_REMATCH[1]} pid=${BASH_REMATCH[2]}
      [ "$pid" = "$ours" ] || fail "port $port is taken by $name (process $pid), which is not etcd.service" \
        "Stop it (kill $pid, or the service or container it belongs to) and run this again." \
        'What a former etcd keeps in a folder of its own stays there; leases come back by themselves.'
    done < <(ss -Hltnp "sport = :$port")
  done
}

run_etcd() {
  local before
  step 'etcd'
  need_ports
  install_packages etcd-server etcd-client
  before=$CHANGES
  set_variable /etc/default/etcd ETCD_LISTEN_CLIENT_URLS "http://127.0.0.1:2379,http://$NODE_IP:2379"
  set_variable /etc/default/etcd ETCD_ADVERTISE_CLIENT_URLS "http://$NODE_IP:2379"
  put_file /etc/systemd/system/etcd.service.d/flannel.conf "$ETCD_UNIT"
  run_service etcd.service "$before"
  wait_for_etcd "journalctl -u etcd shows what it is at."
  put_config
}

# Kept when there is one, unless another is asked for: somebody may have changed it on purpose.
put_config() {
  local wanted=${NETWORK_CONFIG:-$DEFAULT_CONFIG} found
  found=$(master_etcdctl get --print-value-only "$CONFIG_KEY") || fail "etcd does not answer for $CONFIG_KEY"
  [ "$found" != "$wanted" ] || return 0
  if [ -n "$found" ] && [ -z "$NETWORK_CONFIG" ]; then
    note "the network configuration in etcd is kept: $found"
    return 0
  fi
  master_etcdctl put "$CONFIG_KEY" "$wanted" >/dev/null || fail "etcd does not take $CONFIG_KEY"
  changed "$CONFIG_KEY in etcd: $wanted"
}

join_etcd() {
  step "etcd on the master, $MASTER_IP"
  install_packages etcd-client
  wait_for_etcd "Is the master up? There: systemctl status etcd, ss -ltn 'sport = :2379'"
}

# What is the matter with the master, as far as it can be told from here.
why_no_etcd() {
  local answer
  answer=$(timeout 3 bash -c "exec 3<>/dev/tcp/$MASTER_IP/2379" 2>&1) && {
    echo "something takes connections there, but it is no etcd in good health: $1"
    return
  }
  case $answer in
    *refused*) echo 'the machine is there, but nothing listens at that port' ;;
    *) echo 'the machine does not answer' ;;
  esac
}

# wait_for_etcd ADVICE
wait_for_etcd() {
  local advice=$1 give_up=$((SECONDS + WAIT)) said='' why
  until why=$(master_etcdctl endpoint health 2>&1); do
    why=$(why_no_etcd "$(tail -n 1 <<<"$why")")
    [ "$SECONDS" -lt "$give_up" ] ||
      fail "no etcd at http://$MASTER_IP:2379 within $WAIT s: $why" "$advice"
    [ "$why" = "$said" ] || note "waiting for etcd at http://$MASTER_IP:2379: $why"
    said=$why
    sleep 1
  done
}
