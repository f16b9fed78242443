/*
 * The data path of the udp backend: packets of a TUN device to peers as UDP datagrams and back, by two threads that know nothing of Node.
 * What is here is for one thread, that of whoever made it. System errors come back as negative errno.
 */
#ifndef FLANNEL_UDP_FORWARDER_H
#define FLANNEL_UDP_FORWARDER_H
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Forwarder Forwarder;

/* Addresses as numbers. */
typedef struct {
  uint32_t address, port;         /* of the socket, here; peers have the same port */
  uint32_t subnet, subnet_length; /* ours; the device has its base, which ICMP errors come from */
  uint32_t mtu;                   /* of packets; 0: any */
} ForwarderSettings;

/* What is counted, by both threads. Dropped packets from FORWARD_OUT_NOT_IPV4 on; IN ones came from the underlay. */
enum {
  FORWARD_SENT,
  FORWARD_SENT_OCTETS,
  FORWARD_RECEIVED,
  FORWARD_RECEIVED_OCTETS,
  FORWARD_ICMP_SENT,
  FORWARD_ICMP_LIMITED,
  FORWARD_CALLS, /* reads, sends, receives, writes */
  FORWARD_OUT_NOT_IPV4,
  FORWARD_OUT_MALFORMED,
  FORWARD_OUT_NO_PEER,
  FORWARD_OUT_EXPIRED,
  FORWARD_OUT_TOO_BIG,
  FORWARD_OUT_FAILED,
  FORWARD_IN_NOT_IPV4,
  FORWARD_IN_MALFORMED,
  FORWARD_IN_STRANGER,       /* from no peer's address and port */
  FORWARD_IN_FOREIGN_SOURCE, /* from a peer, but from outside its subnet */
  FORWARD_IN_NOT_FOR_US,
  FORWARD_IN_EXPIRED,
  FORWARD_IN_FAILED,
  FORWARD_COUNTS
};
enum { PEER_COUNTS = 5 }; /* sent, sent octets, received, received octets, refused */

/* Makes a device of that name, or pattern with %d, or takes one that nobody has. `is_plain`: without what the kernel does for speed. */
int forwarder_open(const char *name, bool is_plain, Forwarder **made);
const char *forwarder_name(const Forwarder *forwarder);
/* Binds the socket and starts both threads. -EALREADY while they run. */
int forwarder_start(Forwarder *forwarder, const ForwarderSettings *settings);
void forwarder_set_mtu(Forwarder *forwarder, uint32_t mtu);
/* Rows of three numbers: subnet, prefix length, address. Also before it is started. */
int forwarder_set_peers(Forwarder *forwarder, const uint32_t *rows, size_t count);
size_t forwarder_peers(const Forwarder *forwarder);
/* FORWARD_COUNTS numbers, and PEER_COUNTS for each peer in the order of the rows. */
void forwarder_counts(const Forwarder *forwarder, double *counts);
/* Errno with which a thread has ended of itself; 0: none has. */
int forwarder_failure(const Forwarder *forwarder);
/* When it returns there are neither threads nor socket; peers, counts and device stay. Twice is nothing. */
void forwarder_stop(Forwarder *forwarder);
/* Stops it; the device goes. */
void forwarder_close(Forwarder *forwarder);

#endif
