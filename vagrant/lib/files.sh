# shellcheck shell=bash
# Files that are written only when they are to be different.

# Whether systemd has to read its units again. Of a new folder of drop-ins it does not find out by itself.
UNITS_ARE_NEW=no

# put_file PATH TEXT: the file's whole content. Others see the former file or the new one.
put_file() {
  local path=$1 text=$2
  if [ -f "$path" ] && printf '%s\n' "$text" | cmp --silent - "$path"; then return; fi
  mkdir -p "$(dirname "$path")"
  printf '%s\n' "$text" >"$path.setup-new"
  chmod 0644 "$path.setup-new"
  mv "$path.setup-new" "$path"
  case $path in /etc/systemd/system/*) UNITS_ARE_NEW=yes ;; esac
  changed "$path"
}

# set_variable PATH NAME VALUE: one assignment of a file that systemd reads as an environment; the other lines stay.
set_variable() {
  local path=$1 name=$2 value=$3 before=''
  [ ! -f "$path" ] || before=$(cat "$path")
  put_file "$path" "$(printf '%s\n' "$before" | awk -v name="$name" -v line="$name=$value" '
    $0 ~ "^[[:space:]]*(export[[:space:]]+)?" name "=" { if (!done) print line; done = 1; next }
    NR == 1 && $0 == "" { next }
    { print }
    END { if (!done) print line }')"
}

# The value that a file gives to a variable, without quotes; nothing when it gives none.
variable_of() {
  local path=$1 name=$2
  sed -n "s/^$name=[\"']\{0,1\}\([^\"']*\).*/\1/p" "$path" 2>/dev/null | tail -n 1
}
