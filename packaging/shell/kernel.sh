# kernel_lacks_vxlan: ends with 0 when the running kernel certainly cannot make a VXLAN device. Tried in a network namespace
# of its own, so that nobody sees the device.
kernel_lacks_vxlan() {
  if [ -d /sys/module/vxlan ]; then return 1; fi
  if ! command -v ip >/dev/null 2>&1 || ! unshare --net true 2>/dev/null; then return 1; fi
  answer=$(LC_ALL=C unshare --net ip link add probe type vxlan id 1 dstport 8472 2>&1) && return 1
  case $answer in *'not supported'* | *'nknown device type'*) return 0 ;; esac
  return 1
}

NO_VXLAN="this kernel ($(uname -r)) cannot make VXLAN devices, which flanneld needs unless its backend is host-gw, udp or alloc;
look for the module vxlan (modprobe vxlan), in a package such as linux-modules-extra-$(uname -r)"
