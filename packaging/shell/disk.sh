# free_kib FOLDER: what a file in it may take.
free_kib() {
  df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print $4 }'
}

# lacks_space FOLDER KIB: ends with 0 when there is less.
lacks_space() {
  free=$(free_kib "$1")
  [ -n "$free" ] && [ "$free" -lt "$2" ]
}
