{
  "targets": [
    {
      "target_name": "netlink",
      "sources": ["netlink.c", "icmp.c"],
      "defines": ["NAPI_VERSION=8"],
      "cflags": ["-std=c11", "-Wall", "-Wextra", "-O2", "-fvisibility=hidden"],
    }
  ]
}
