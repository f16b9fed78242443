# lease_arguments WORD …: of the agent's flags those that say where its lease and its files are.
lease_arguments() {
  is_kept=no
  for word in "$@"; do
    case $word in
      -etcd-*=* | --etcd-*=* | -subnet-file=* | --subnet-file=* | -node-id=* | --node-id=*) printf '%s\n' "$word" ;;
      -etcd-* | --etcd-* | -subnet-file | --subnet-file | -node-id | --node-id)
        is_kept=yes
        printf '%s' "$word="
        ;;
      *) if [ "$is_kept" = yes ]; then
        printf '%s\n' "$word"
        is_kept=no
      fi ;;
    esac
  done
}

# clean_up PROGRAM: gives the lease back and takes away what forwards. A lease that cannot be given back ends by itself: no reason
# to keep the rest.
clean_up() {
  program=$1
  set -f
  # shellcheck disable=SC2046,SC2086 # words of FLANNELD_OPTS are arguments
  set -- $(lease_arguments --etcd-endpoints="${FLANNEL_ETCD_ENDPOINTS-}" --etcd-prefix="${FLANNEL_ETCD_PREFIX-}" \
    ${FLANNEL_OPTIONS-} ${FLANNELD_OPTS-})
  if ! is_configured; then
    timeout 60 "$program" cleanup || say 'not everything was taken away, see above' >&2
    return 0
  fi
  if [ -z "${FLANNELD_ETCD_ENDPOINTS-}" ]; then
    case " $* " in *etcd-endpoints=[!\ ]*) ;; *) set -- "$@" --etcd-endpoints=http://127.0.0.1:2379 ;; esac
  fi
  if timeout 60 "$program" cleanup --release "$@"; then return 0; fi
  say 'the lease was not given back; it ends by itself within a day, or: etcdctl del <prefix>/subnets/<subnet>' >&2
  timeout 60 env -u FLANNELD_ETCD_ENDPOINTS "$program" cleanup || say 'not everything was taken away, see above' >&2
}

# remove_state: what flanneld and its commands have written outside its own files.
remove_state() {
  if grep -qs '^DOCKER_OPT_BIP=' /run/docker_opts.env; then rm -f /run/docker_opts.env; fi
  rm -rf /var/lib/cni/flannel
  rmdir /run/flannel /var/lib/cni 2>/dev/null || :
}
