/* What both threads of a forwarder share, and what each direction has of its own. */
#ifndef FLANNEL_UDP_THREAD_H
#define FLANNEL_UDP_THREAD_H
#include "forwarder.h"
#include "packet.h"
#include "peers.h"

#include <netinet/in.h>
#include <uv.h>

enum { OUTWARD, INWARD };

/* What one direction needs while it is carried: by one thread at a time. */
typedef struct Outward Outward;
typedef struct Inward Inward;

/* One of the two directions: what only the thread writes that carries it. */
typedef struct {
  Forwarder *forwarder;
  uv_thread_t id;
  _Atomic(PeerTable *) reads; /* the table that it may be reading: not to be freed */
  _Atomic uint64_t counts[FORWARD_COUNTS];
  uint64_t credit; /* of ICMP errors, in 1/1000 */
  uint64_t credited_ms;
} Side;

struct Forwarder {
  char name[IFNAMSIZ];
  int tun, socket, stop; /* descriptors; -1: none */
  int events, joined;    /* what the outward thread waits for; rung when the inward one has given back what comes in */
  int turn;              /* rung when that is the inward thread's */
  Inward *inward;        /* of whoever carries what comes in */
  _Atomic bool is_apart; /* each direction has a thread of its own */
  bool has_header;       /* before each packet of the device: struct virtio_net_hdr */
  bool merges_udp;       /* the device takes many packets of UDP as one */
  _Atomic bool merges;   /* and any at all */
  bool receives_many;    /* UDP_GRO */
  _Atomic bool sends_many; /* UDP_SEGMENT */
  _Atomic bool ends;
  bool is_running, is_plain;
  ForwarderSettings settings;
  _Atomic uint32_t mtu;
  _Atomic int failure;
  _Atomic(PeerTable *) peers;
  PeerTable *retired; /* swapped out while somebody may have been reading them, the first of them */
  Side sides[2];
};

/* Both wait, and take turns (turns.c). */
void run_outward(void *side);
void run_inward(void *side);

Outward *make_outward(Side *side);
/*
 * Whether there may be more of them from the device. What is read is sent as soon as there is nothing to be read; when nothing was going on
 * (`is_first`), the first packet at once: somebody may wait for it. `packets`: so many, those included that went nowhere.
 */
bool forward_round(Outward *outward, bool is_first, unsigned *packets);

Inward *make_inward(Side *side);
/* Datagrams from peers to the device: one, or many. `taken`: so many. False when the thread is to end. */
bool take_round(Inward *inward, bool one, int flags, unsigned *taken);

/* The table as it is now, which stays until `release_peers`. */
const PeerTable *hold_peers(Side *side);
void release_peers(Side *side);

/* Waits until a descriptor is ready, at most so long (-1: for ever). False when the thread is to end. */
bool wait_for(Side *side, int fd, short events, int timeout_ms);
/* The device, or the socket, cannot be used any more: both threads end. */
void fail(Side *side, int error);
/* Whether another ICMP error may be sent (RFC 1812, 4.3.2.8). */
bool may_complain(Side *side);

static inline void count(Side *side, int what, uint64_t by) { add_to(&side->counts[what], by); }

static inline struct sockaddr_in place_of(const Forwarder *forwarder, uint32_t address) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)forwarder->settings.port),
                              .sin_addr = {htonl(address)}};
}

#endif
