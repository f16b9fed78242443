# Files that flanneld.service reads, in its order: of a variable in several, the last counts.
SETTINGS_FILES='/etc/default/flanneld /etc/sysconfig/flanneld /run/flannel/options.env'
SETTING_NAMES=' @SETTING_NAMES@ '

# settings_of FILE: its NAME=value lines as systemd has them: without blanks around them and quotes around the value.
settings_of() {
  sed -n -e '/^[[:space:]]*[#;]/d' \
    -e 's/^[[:space:]]*\([A-Za-z_][A-Za-z0-9_]*\)[[:space:]]*=[[:space:]]*\(.*\)$/\1=\2/p' "$1" |
    sed -e 's/[[:space:]]*$//' -e 's/^\([^=]*\)="\(.*\)"$/\1=\2/' -e "s/^\\([^=]*\\)='\\(.*\\)'\$/\\1=\\2/"
}

# is_configured: whether somebody has set anything.
is_configured() {
  for file in $SETTINGS_FILES; do
    if [ -r "$file" ] && settings_of "$file" | grep -q '^FLANNELD\{0,1\}_[A-Z0-9_]*=.'; then return 0; fi
  done
  return 1
}

# with_settings COMMAND …: runs it in the environment that these files make.
with_settings() (
  for file in $SETTINGS_FILES; do
    [ -r "$file" ] || continue
    while IFS= read -r setting; do
      if [ -n "$setting" ]; then export "${setting?}"; fi
    done <<END_OF_SETTINGS
$(settings_of "$file")
END_OF_SETTINGS
  done
  "$@"
)

# setting_problems FILE: a line for each of its lines that systemd would ignore, or that nobody reads.
setting_problems() {
  line_number=0
  is_continued=no
  while IFS= read -r line || [ -n "$line" ]; do
    line_number=$((line_number + 1))
    was_continued=$is_continued
    case $line in *\\) is_continued=yes ;; *) is_continued=no ;; esac
    if [ "$was_continued" = yes ]; then continue; fi
    line=$(printf '%s\n' "$line" | sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//')
    case $line in '' | '#'* | ';'*) continue ;; esac
    name=$(printf '%s\n' "$line" | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)[[:space:]]*=.*/\1/p')
    # The name alone, never the value: it may be a password.
    if [ -z "$name" ]; then
      echo "$1:$line_number: expected NAME=value, found \"${line%%=*}\": systemd ignores this line"
      continue
    fi
    case $SETTING_NAMES in *" $name "*) continue ;; esac
    case $name in
      FLANNEL_*) echo "$1:$line_number: $name is read by nobody; expected FLANNELD_${name#FLANNEL_}?" ;;
      FLAN*) echo "$1:$line_number: $name is read by nobody; the names stand in flanneld(8)" ;;
    esac
  done <"$1"
}

# warn_of_settings: says every problem of all these files.
warn_of_settings() {
  for file in $SETTINGS_FILES; do
    if [ -r "$file" ]; then setting_problems "$file" >&2; fi
  done
}

# settings_fault PROGRAM: why it would not start with these settings; nothing when it would.
settings_fault() {
  # shellcheck disable=SC2016 # the words of the variables become arguments, as in the unit
  call='exec "$0" --etcd-endpoints="$FLANNEL_ETCD_ENDPOINTS" --etcd-prefix="$FLANNEL_ETCD_PREFIX" $FLANNEL_OPTIONS $FLANNELD_OPTS --check'
  { with_settings sh -fc "$call" "$1" >/dev/null || :; } 2>&1
}
