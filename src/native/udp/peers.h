/* Who has which subnet, as both threads of a forwarder look it up: never changed, but swapped as a whole. */
#ifndef FLANNEL_UDP_PEERS_H
#define FLANNEL_UDP_PEERS_H
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one peer, each half written by one thread alone. They outlive tables, for as long as the peer keeps its subnet and its address. */
typedef struct {
  alignas(64) _Atomic uint64_t sent, sent_octets;
  alignas(64) _Atomic uint64_t received, received_octets, refused;
} PeerCounts;

typedef struct {
  uint32_t subnet, length, address;
  PeerCounts *counts;
} Peer;

typedef struct PeerTable {
  size_t count, ranges;
  Peer *peers;         /* as given */
  uint32_t *by_subnet; /* rows by subnet, the wider before the narrower, of equals the first given */
  uint32_t *by_address;
  uint32_t *starts;       /* where another's addresses begin; the first is 0 */
  uint32_t *owners;       /* whose: a row, or UINT32_MAX */
  bool *handed_on;        /* whose counts a later table has */
  struct PeerTable *later; /* of tables that wait to be freed */
} PeerTable;

/* Of rows of three numbers: subnet, prefix length (at most 32), address. NULL: no memory. Counts of `before` go on. */
PeerTable *make_peers(const uint32_t *rows, size_t count, PeerTable *before);
/* With the counts that no later table goes on with. */
void free_peers(PeerTable *table);
/* Who has the longest prefix that an address is in; NULL: nobody. Takes logarithmic time. */
const Peer *peer_of(const PeerTable *table, uint32_t address);
/* One of those at an address of the underlay; NULL: nobody is there. */
const Peer *peer_at_address(const PeerTable *table, uint32_t address);

/* Counters have one writer: a load and a store are enough, and cost no more than those. */
static inline void add_to(_Atomic uint64_t *counter, uint64_t by) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by, memory_order_relaxed);
}

#endif
