# shellcheck shell=bash
# flanneld: the package that `npm run package` has built, else the executable of `npm run build`.

SETTINGS=/etc/default/flanneld
PROGRAM=/usr/local/bin/flanneld
UNITS=/etc/systemd/system
UNIT_MARK='# Installed by vagrant/setup.sh'
PACKAGE=''
EXECUTABLE=''

# The newest file of a folder by this pattern; nothing when there is none.
newest() {
  [ -d "$1" ] || return 0
  find "$1" -maxdepth 1 -name "$2" -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-
}

# Said before anything is done to the machine.
need_flanneld() {
  local architecture
  architecture=$(dpkg --print-architecture)
  PACKAGE=$(newest "$DIST/packages" "flannel-agent_*_$architecture.deb")
  [ ! -x "$DIST/flanneld" ] || EXECUTABLE=$DIST/flanneld
  if [ -z "$PACKAGE$EXECUTABLE" ]; then
    ! command -v flanneld >/dev/null || return 0
    fail "there is no flanneld for $architecture in $DIST" \
      'On the machine that has the checkout, with Node.js and npm: npm ci && npm run build && npm run package' \
      'Then, if the folder is copied to the machines: vagrant rsync. And: vagrant provision'
  fi
  if [ -z "$PACKAGE" ] && is_installed flannel-agent; then
    warn "there is no package in $DIST/packages; the one that is installed stays" 'npm run package makes one.'
    EXECUTABLE=''
  fi
  if [ -n "$PACKAGE" ] && [ -n "$EXECUTABLE" ] && [ "$EXECUTABLE" -nt "$PACKAGE" ]; then
    warn "$EXECUTABLE is newer than ${PACKAGE##*/}, which is what is installed" 'npm run package makes it anew.'
  fi
}

# The same version may have been built again: what it consists of is compared.
is_this_package() {
  local name
  name=$(dpkg-deb --field "$1" Package)
  is_installed "$name" || return 1
  [ "$(dpkg-query -W -f '${Version}' "$name")" = "$(dpkg-deb --field "$1" Version)" ] || return 1
  dpkg-deb --info "$1" md5sums 2>/dev/null | cmp --silent - "$(dpkg-query --control-path "$name" md5sums)"
}

# The package starts the agent, or starts it anew: what it reads must stand before. Comments come from the package.
seed_settings() {
  [ ! -e "$SETTINGS" ] && [ -n "$PACKAGE" ] || return 0
  local text
  text=$(dpkg-deb --fsys-tarfile "$PACKAGE" | tar -xO ".$SETTINGS" 2>/dev/null) || return 0
  put_file "$SETTINGS" "$text"
}

install_package() {
  local log
  log=$(mktemp)
  if ! "${APT[@]}" install --no-install-recommends --reinstall --allow-downgrades "$(realpath "$PACKAGE")" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get cannot install ${PACKAGE##*/}" 'What it said stands above.'
  fi
  rm -f "$log"
  changed "installed ${PACKAGE##*/}"
}

# Without a package: the executable alone, and units that start it.
install_executable() {
  local unit
  if ! cmp --silent "$EXECUTABLE" "$PROGRAM"; then
    cp "$EXECUTABLE" "$PROGRAM.setup-new"
    chmod 0755 "$PROGRAM.setup-new"
    mv "$PROGRAM.setup-new" "$PROGRAM"
    changed "$PROGRAM"
  fi
  for unit in flanneld.service flannel-docker-opts.service; do
    put_file "$UNITS/$unit" "$UNIT_MARK
$(sed "s|^\(ExecStart=\)[^ ]*/flanneld|\1$PROGRAM|" "$PACKAGING/systemd/$unit")"
  done
}

# What a former run has installed without a package would win over the package's units.
remove_executable() {
  local unit
  grep -qxsF "$UNIT_MARK" "$UNITS/flanneld.service" || return 0
  for unit in flanneld.service flannel-docker-opts.service; do rm -f "$UNITS/$unit"; done
  rm -f "$PROGRAM"
  UNITS_ARE_NEW=yes
  changed "removed $PROGRAM and its units: the package takes their place"
}

configure_flanneld() {
  seed_settings
  set_variable "$SETTINGS" FLANNELD_ETCD_ENDPOINTS "http://$MASTER_IP:2379"
  set_variable "$SETTINGS" FLANNELD_IFACE "$NODE_IP"
  set_variable "$SETTINGS" FLANNELD_IP_MASQ true
  # Boxes exist in which every machine has the same machine id.
  set_variable "$SETTINGS" FLANNELD_NODE_ID "$NODE_IP"
}

run_flanneld() {
  local before=$CHANGES
  step 'flanneld'
  configure_flanneld
  if [ -n "$PACKAGE" ]; then
    if ! is_this_package "$PACKAGE"; then
      install_package
      # It has restarted the agent itself.
      before=$CHANGES
    fi
    remove_executable
  elif [ -n "$EXECUTABLE" ]; then
    install_executable
  fi
  run_service flanneld.service "$before"
  warn_of_overlaps "$(variable_of /run/flannel/subnet.env FLANNEL_NETWORK)"
}

subnet_of_flannel() { variable_of /run/flannel/subnet.env FLANNEL_SUBNET; }
