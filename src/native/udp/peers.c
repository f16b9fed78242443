#include "peers.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

static int compare(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int by_subnet(const void *a, const void *b, void *peers) {
  uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
  const Peer *p = (const Peer *)peers + i, *q = (const Peer *)peers + j;
  int subnets = compare((uint64_t)p->subnet << 8 | p->length, (uint64_t)q->subnet << 8 | q->length);
  return subnets != 0 ? subnets : compare(i, j);
}

static int by_address(const void *a, const void *b, void *peers) {
  uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
  int addresses = compare(((const Peer *)peers)[i].address, ((const Peer *)peers)[j].address);
  return addresses != 0 ? addresses : compare(i, j);
}

static uint32_t mask_of(uint32_t length) { return length == 0 ? 0 : UINT32_MAX << (32 - length); }
static uint64_t end_of(const Peer *peer) { return (uint64_t)peer->subnet + (UINT64_C(1) << (32 - peer->length)); }

static void add_range(PeerTable *table, uint64_t start, uint32_t owner) {
  if (start > UINT32_MAX) return;
  if (table->ranges != 0 && table->starts[table->ranges - 1] == (uint32_t)start) table->ranges--;
  table->starts[table->ranges] = (uint32_t)start;
  table->owners[table->ranges++] = owner;
}

/* Prefixes lie within each other or apart: those that an address is in are a stack, at most 33 high, with the longest on top. */
static void fill_ranges(PeerTable *table) {
  uint32_t open[34];
  size_t depth = 0;
  add_range(table, 0, NOBODY);
  for (size_t at = 0; at <= table->count; at++) {
    const Peer *next = at < table->count ? &table->peers[table->by_subnet[at]] : NULL;
    while (depth > 0 && (next == NULL || end_of(&table->peers[open[depth - 1]]) <= next->subnet)) {
      depth--;
      add_range(table, end_of(&table->peers[open[depth]]), depth > 0 ? open[depth - 1] : NOBODY);
    }
    if (next == NULL) break;
    const Peer *around = depth > 0 ? &table->peers[open[depth - 1]] : NULL;
    if (around != NULL && around->subnet == next->subnet && around->length == next->length) continue;
    open[depth++] = table->by_subnet[at];
    add_range(table, next->subnet, table->by_subnet[at]);
  }
}

static bool has_room(const PeerTable *t) {
  return t->peers && t->by_subnet && t->by_address && t->starts && t->owners && t->handed_on;
}

static PeerTable *empty_table(size_t count) {
  PeerTable *table = calloc(1, sizeof *table);
  if (table == NULL) return NULL;
  size_t room = count == 0 ? 1 : count;
  table->peers = calloc(room, sizeof *table->peers);
  table->by_subnet = calloc(room, sizeof *table->by_subnet);
  table->by_address = calloc(room, sizeof *table->by_address);
  table->starts = calloc(2 * room + 1, sizeof *table->starts);
  table->owners = calloc(2 * room + 1, sizeof *table->owners);
  table->handed_on = calloc(room, sizeof *table->handed_on);
  if (has_room(table)) return table;
  free_peers(table);
  return NULL;
}

/* The row of a table that is the same peer and whose counts nobody has yet; NOBODY when there is none. */
static uint32_t same_peer(const PeerTable *table, const Peer *peer) {
  size_t low = 0, high = table->count;
  uint64_t key = (uint64_t)peer->subnet << 8 | peer->length;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const Peer *p = &table->peers[table->by_subnet[middle]];
    if (((uint64_t)p->subnet << 8 | p->length) < key) low = middle + 1;
    else high = middle;
  }
  for (; low < table->count; low++) {
    uint32_t row = table->by_subnet[low];
    const Peer *p = &table->peers[row];
    if (p->subnet != peer->subnet || p->length != peer->length) break;
    if (p->address == peer->address && !table->handed_on[row]) return row;
  }
  return NOBODY;
}

static bool new_counts(PeerTable *table) {
  for (size_t at = 0; at < table->count; at++) {
    PeerCounts *counts = aligned_alloc(alignof(PeerCounts), sizeof *counts);
    if (counts == NULL) return false;
    memset(counts, 0, sizeof *counts);
    table->peers[at].counts = counts;
  }
  return true;
}

/* Nothing can fail any more. */
static void go_on_counting(PeerTable *table, PeerTable *before) {
  for (size_t at = 0; at < table->count; at++) {
    uint32_t old = same_peer(before, &table->peers[at]);
    if (old == NOBODY) continue;
    free(table->peers[at].counts);
    table->peers[at].counts = before->peers[old].counts;
    before->handed_on[old] = true;
  }
}

PeerTable *make_peers(const uint32_t *rows, size_t count, PeerTable *before) {
  PeerTable *table = empty_table(count);
  if (table == NULL) return NULL;
  table->count = count;
  for (size_t at = 0; at < count; at++) {
    const uint32_t *row = rows + 3 * at;
    table->peers[at] = (Peer){.subnet = row[0] & mask_of(row[1]), .length = row[1], .address = row[2]};
    table->by_subnet[at] = table->by_address[at] = (uint32_t)at;
  }
  qsort_r(table->by_subnet, count, sizeof *table->by_subnet, by_subnet, table->peers);
  qsort_r(table->by_address, count, sizeof *table->by_address, by_address, table->peers);
  fill_ranges(table);
  if (!new_counts(table)) {
    free_peers(table);
    return NULL;
  }
  if (before != NULL) go_on_counting(table, before);
  return table;
}

void free_peers(PeerTable *table) {
  if (table == NULL) return;
  for (size_t at = 0; at < table->count; at++)
    if (!table->handed_on[at]) free(table->peers[at].counts);
  free(table->peers);
  free(table->by_subnet);
  free(table->by_address);
  free(table->starts);
  free(table->owners);
  free(table->handed_on);
  free(table);
}

/* Halves the distance without a branch to be guessed. */
const Peer *peer_of(const PeerTable *table, uint32_t address) {
  const uint32_t *start = table->starts;
  for (size_t length = table->ranges; length > 1;) {
    size_t half = length / 2;
    start = start[half] <= address ? start + half : start;
    length -= half;
  }
  uint32_t owner = table->owners[start - table->starts];
  return owner == NOBODY ? NULL : &table->peers[owner];
}

const Peer *peer_at_address(const PeerTable *table, uint32_t address) {
  size_t low = 0, high = table->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (table->peers[table->by_address[middle]].address < address) low = middle + 1;
    else high = middle;
  }
  if (low == table->count) return NULL;
  const Peer *peer = &table->peers[table->by_address[low]];
  return peer->address == address ? peer : NULL;
}
