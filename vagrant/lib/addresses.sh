# shellcheck shell=bash
# Which address this machine has in the network that the machines share. The default route is no guide:
# on VirtualBox it leads every machine out by the same address.

# Seconds for which a network card may still be getting its address.
ADDRESS_WAIT=15

# number_of A.B.C.D: as a whole number; fails when it is no address.
number_of() {
  local part parts number=0
  [[ $1 =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$ ]] || return 1
  IFS=. read -ra parts <<<"$1"
  for part in "${parts[@]}"; do
    [ "$((10#$part))" -le 255 ] || return 1
    number=$((number * 256 + 10#$part))
  done
  printf '%s\n' "$number"
}

need_address() { number_of "$2" >/dev/null || fail "$1=$2: expected an IPv4 address such as 192.168.33.10"; }

has_address() { [ -n "$(ip -4 -o address show to "$1/32")" ]; }

list_addresses() {
  ip -4 -o address show scope global | awk '{ print "this machine has " $4 " on " $2 }'
}

# The address from which this machine reaches the master in a network that both are in.
address_towards_master() {
  local route
  route=$(ip -4 route get "$MASTER_IP" 2>/dev/null) || return 0
  case $route in *' via '*) return 0 ;; esac
  sed -n 's/.* src \([0-9.]*\).*/\1/p' <<<"$route"
}

choose_addresses() {
  local role=$1 give_up=$((SECONDS + (WAIT < ADDRESS_WAIT ? WAIT : ADDRESS_WAIT))) found=()
  need_address MASTER_IP "$MASTER_IP"
  if [ -z "$NODE_IP" ] && [ "$role" = master ]; then NODE_IP=$MASTER_IP; fi
  while :; do
    [ -n "$NODE_IP" ] || NODE_IP=$(address_towards_master)
    [ -z "$NODE_IP" ] || need_address NODE_IP "$NODE_IP"
    if [ -n "$NODE_IP" ] && has_address "$NODE_IP"; then break; fi
    [ "$SECONDS" -lt "$give_up" ] || break
    sleep 1
  done
  mapfile -t found < <(list_addresses)
  [ -n "$NODE_IP" ] || fail "no network of this machine has the master, MASTER_IP=$MASTER_IP, in it" "${found[@]}" \
    'Set MASTER_IP to the address of the master in the network that the machines share.'
  has_address "$NODE_IP" || fail "NODE_IP=$NODE_IP is no address of this machine" "${found[@]}" \
    'Set NODE_IP to the one in the network that the machines share; the master is the machine with MASTER_IP.'
  check_role "$role"
  step "$role: this machine is $NODE_IP, the master $MASTER_IP"
}

check_role() {
  case $1 in
    master) [ "$NODE_IP" = "$MASTER_IP" ] ||
      fail "this machine is $NODE_IP, and the master is to be MASTER_IP=$MASTER_IP" \
        "Set MASTER_IP=$NODE_IP on every machine, or run: setup.sh slave" ;;
    slave) [ "$NODE_IP" != "$MASTER_IP" ] ||
      fail "this machine is the master, MASTER_IP=$MASTER_IP" 'Run: setup.sh master' ;;
  esac
}

# covers NETWORK/LENGTH ADDRESS
covers() {
  local network length=${1#*/} address
  network=$(number_of "${1%/*}") && address=$(number_of "$2") || return 1
  [ $((network >> (32 - length))) -eq $((address >> (32 - length))) ]
}

# Containers do not reach what lies in the overlay's network and is no host of it: a hypervisor's name server, for one.
warn_of_overlaps() {
  local overlay=$1 prefix device
  while read -r prefix device; do
    covers "$overlay" "${prefix%/*}" || continue
    warn "the network $prefix on $device lies in the overlay's, $overlay: containers cannot reach it" \
      'Choose another network for the overlay (NETWORK_CONFIG), or for the machines.'
  done < <(ip -4 -o route show scope link | awk '$3 !~ /^(docker|br-|flannel)/ { print $1, $3 }')
}
