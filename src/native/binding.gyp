{
  "targets": [
    {
      "target_name": "netlink",
      "sources": [
        "netlink.c", "icmp.c", "memory.c",
        "udp/udp.c", "udp/forwarder.c", "udp/outward.c", "udp/inward.c", "udp/turns.c", "udp/peers.c", "udp/packet.c"
      ],
      "defines": ["NAPI_VERSION=8"],
      "cflags": ["-std=c11", "-Wall", "-Wextra", "-O2", "-fvisibility=hidden"],
    }
  ]
}
