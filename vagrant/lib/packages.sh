# shellcheck shell=bash
# Packages by apt: the only thing that is ever downloaded.

APT=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -y -q
  -o Dpkg::Options::=--force-confold -o "DPkg::Lock::Timeout=$WAIT")

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Installs what is missing. A fresh box has old lists or none: they are fetched when the first attempt fails.
install_packages() {
  local name missing=() log
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  log=$(mktemp)
  if ! "${APT[@]}" install --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    if ! { "${APT[@]}" update && "${APT[@]}" install --no-install-recommends "${missing[@]}"; } >>"$log" 2>&1; then
      tail -n 20 "$log" >&2
      fail "apt-get cannot install ${missing[*]}" 'What it said stands above. Once it is mended, run this again.'
    fi
  fi
  rm -f "$log"
  changed "installed ${missing[*]}"
}
