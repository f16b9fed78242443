/*
 * Fuzzes what the forwarder does with packets, guided by which code they reach (-fsanitize-coverage=trace-pc), and the table of its peers.
 * Made with sanitizers: whatever is read or written beyond its end, or overflows, ends it.
 *
 *   fuzz PACKETS SEED   tries so many; prints how many of them are kept for the code that they reached first, and how many have made pairs
 *                       that the kernel takes as one
 */
#include "../../../../src/native/udp/packet.h"
#include "../../../../src/native/udp/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 1 << 12, CORPUS = 4096, INPUT = 2048 };

static uint8_t reached[PLACES], ever[PLACES];
static struct { uint8_t *data; size_t length; } corpus[CORPUS];
static size_t kept;
static unsigned long tried, joined;
static uint64_t state;

/* Called wherever the instrumented code branches. */
void __sanitizer_cov_trace_pc(void) { reached[((uintptr_t)__builtin_return_address(0) >> 1) % PLACES] = 1; }

static uint32_t random32(void) { /* splitmix64 */
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return (uint32_t)(z ^ (z >> 31));
}

static void require(int is_so, const char *what) {
  if (is_so) return;
  fprintf(stderr, "not so: %s\n", what);
  abort();
}

/* In a piece of memory of its own: what is beyond its end is found. */
static uint8_t *copy_of(const void *data, size_t length) {
  uint8_t *copy = malloc(length == 0 ? 1 : length);
  if (length != 0) memcpy(copy, data, length);
  return copy;
}

static void put16(uint8_t *at, size_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

/* Checksums made right by the simplest way there is. */
static uint32_t plain_sum(const uint8_t *data, size_t length, uint32_t sum) {
  for (size_t at = 0; at < length; at++) sum += at % 2 == 0 ? (uint32_t)data[at] << 8 : data[at];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

static uint32_t transport_sum(const uint8_t *packet, const Ip *ip) {
  size_t length = (size_t)(ip->length - ip->header);
  uint32_t pseudo = plain_sum(packet + 12, 8, ip->protocol + (uint32_t)length);
  return plain_sum(packet + ip->header, length, pseudo);
}

static void try_errors(const uint8_t *packet, const Ip *ip) {
  uint8_t *out = malloc(ICMP_MOST);
  size_t length = make_icmp_error(out, ICMP_UNREACHABLE, ICMP_TOO_BIG, 1400, 0x0a010100, packet, ip);
  Ip error;
  if (length != 0) {
    require(length <= ICMP_MOST && read_ip(out, length, &error) == PACKET_FINE && ip_sum_right(out, &error), "an error is a packet");
    require(error.destination == ip->source && plain_sum(out + 20, length - 20, 0) == 0xffff, "to whom it belongs, checksum right");
    uint8_t *another = malloc(ICMP_MOST);
    require(make_icmp_error(another, ICMP_UNREACHABLE, ICMP_NET, 0, 1, out, &error) == 0, "none about errors");
    free(another);
  }
  free(out);
}

static void try_segments(const uint8_t *packet, const Ip *ip, uint16_t size) {
  Gso gso;
  if (!read_gso(packet, ip, size, &gso)) return;
  unsigned segments = gso_segments(&gso);
  size_t total = 0;
  for (unsigned at = 0; at < segments && at < 80; at++) {
    size_t offset = gso.headers + (size_t)at * size, left = gso.length - offset, length = left < size ? left : size;
    uint8_t *made = malloc(gso.headers + length), *headers = malloc(HEADERS_MOST);
    make_segment(&gso, at, packet + offset, length, headers);
    memcpy(made, headers, gso.headers);
    memcpy(made + gso.headers, packet + offset, length);
    Ip segment;
    require(read_ip(made, gso.headers + length, &segment) == PACKET_FINE && ip_sum_right(made, &segment), "a segment is a packet");
    require(transport_sum(made, &segment) == 0xffff && transport_sum_right(made, &segment), "its checksum is right");
    total += length;
    free(made);
    free(headers);
  }
  require(segments > 80 || total + gso.headers == gso.length, "nothing of it is missing");
}

/* Two packets that are made one, and that one cut again, are the packets that they were; their numbers may be others where nobody looks. */
static void try_join(const uint8_t *a, const Ip *ip_a, const uint8_t *b, const Ip *ip_b) {
  Gso gso, again;
  Ip whole;
  if (!begins_gso(a, ip_a, &gso)) return;
  GsoNext next = continues_gso(&gso, 1, b, ip_b);
  if (next == GSO_NO || !ip_sum_right(a, ip_a) || !ip_sum_right(b, ip_b)) return;
  if (transport_sum(a, ip_a) != 0xffff || transport_sum(b, ip_b) != 0xffff) return;
  joined++;
  size_t payload = (size_t)(ip_b->length - gso.headers);
  gso.length += (uint32_t)payload;
  uint8_t *made = malloc(gso.length), *headers = malloc(HEADERS_MOST);
  bool pushes = ip_a->protocol == PROTOCOL_TCP && (b[ip_b->header + 13] & 8) != 0;
  make_gso_headers(&gso, pushes, headers);
  memcpy(made, headers, gso.headers);
  memcpy(made + gso.headers, a + gso.headers, gso.size);
  memcpy(made + gso.headers + gso.size, b + gso.headers, payload);
  require(read_ip(made, gso.length, &whole) == PACKET_FINE && ip_sum_right(made, &whole), "together they are a packet");
  require(read_gso(made, &whole, gso.size, &again) && gso_segments(&again) == 2, "of two");
  for (unsigned at = 0; at < 2; at++) {
    const uint8_t *was = at == 0 ? a : b;
    make_segment(&again, at, was + gso.headers, at == 0 ? gso.size : payload, headers);
    if ((ip_a->fragment & 0x4000) != 0) memcpy(headers + 4, was + 4, 2), memcpy(headers + 10, was + 10, 2);
    uint8_t *same = copy_of(was, gso.headers);
    /* Both zeros of a checksum are one (RFC 1624, 3). */
    for (int place = 0; place < 2; place++) {
      uint8_t *sums[] = {headers + (place ? gso.ip + sum_offset(gso.protocol) : 10), same + (place ? gso.ip + sum_offset(gso.protocol) : 10)};
      for (int i = 0; i < 2; i++)
        if (sums[i][0] == 0xff && sums[i][1] == 0xff) memset(sums[i], 0, 2);
    }
    require(memcmp(headers, same, gso.headers) == 0, "cut again they are what they were");
    free(same);
  }
  free(made);
  free(headers);
}

static void make_right(uint8_t *packet, size_t length) {
  Ip ip;
  if (length < 20) return;
  put16(packet + 2, length);
  put16(packet + 10, 0);
  size_t header = (size_t)(packet[0] & 15) * 4;
  if (header < 20 || header > length) return;
  put16(packet + 10, (size_t)(plain_sum(packet, header, 0) ^ 0xffff));
  if (read_ip(packet, length, &ip) != PACKET_FINE || (ip.protocol != 6 && ip.protocol != 17)) return;
  size_t at = header + sum_offset(ip.protocol);
  if (at + 2 > length) return;
  if (ip.protocol == 17) put16(packet + header + 4, length - header);
  put16(packet + at, 0);
  uint32_t sum = transport_sum(packet, &ip) ^ 0xffff;
  put16(packet + at, sum == 0 && ip.protocol == 17 ? 0xffff : sum);
}

/* The packet that would follow, changed in one place at times. */
static uint8_t *successor(const uint8_t *packet, const Ip *ip, size_t *length) {
  uint8_t *next = copy_of(packet, ip->length);
  *length = ip->length - (random32() % 4 == 0 && ip->length > 48 ? random32() % 8 : 0);
  put16(next + 4, (size_t)(next[4] << 8 | next[5]) + 1);
  if (ip->protocol == 6 && ip->header == 20 && ip->length > 40) {
    size_t headers = 20 + (size_t)(next[32] >> 4) * 4;
    uint32_t sequence = (uint32_t)next[24] << 24 | (uint32_t)next[25] << 16 | (uint32_t)next[26] << 8 | next[27];
    if (headers < ip->length) sequence += (uint32_t)(ip->length - headers);
    put16(next + 24, sequence >> 16);
    put16(next + 26, sequence);
    if (random32() % 3 == 0) next[33] |= 8;
  }
  if (random32() % 3 == 0) next[random32() % *length] ^= (uint8_t)(1 << random32() % 8);
  make_right(next, *length);
  return next;
}

static void try_packet(const uint8_t *data, size_t length) {
  Ip ip, second;
  size_t next_length;
  uint8_t *packet = copy_of(data, length);
  tried++;
  if (read_ip(packet, length, &ip) == PACKET_FINE) {
    bool was_right = ip_sum_right(packet, &ip);
    require(was_right == (plain_sum(packet, ip.header, 0) == 0xffff), "the header's checksum");
    try_errors(packet, &ip);
    try_segments(packet, &ip, (uint16_t)(random32() % 4 == 0 ? random32() : 1 + random32() % 200));
    uint8_t *next = successor(packet, &ip, &next_length), *exact = copy_of(next, next_length);
    if (read_ip(exact, next_length, &second) == PACKET_FINE) try_join(packet, &ip, exact, &second);
    free(next);
    free(exact);
    if (ip.ttl > 0) lower_ttl(packet);
    if (was_right && ip.ttl > 0) require(ip_sum_right(packet, &ip) && packet[8] == ip.ttl - 1, "one less, and the checksum right");
    (void)fill_sum(packet, &ip, random32() % 128, random32() % 32);
  }
  free(packet);
}

static size_t mutate(uint8_t *out, const uint8_t *from, size_t length) {
  static const uint8_t TELLING[] = {0, 1, 2, 5, 6, 8, 11, 17, 20, 0x40, 0x45, 0x46, 0x4f, 0x60, 0x7f, 0x80, 0xff};
  memcpy(out, from, length);
  for (unsigned times = 1 + random32() % 4; times > 0; times--) {
    unsigned how = random32() % 6;
    if (how == 0 && length > 1) length = random32() % length;
    else if (how == 1 && length + 16 < INPUT)
      for (unsigned more = random32() % 16; more > 0; more--) out[length++] = (uint8_t)random32();
    else if (length != 0 && how <= 3) out[random32() % (how == 2 || length < 60 ? length : 60)] = TELLING[random32() % sizeof TELLING];
    else if (length != 0) out[random32() % length] ^= (uint8_t)(1 << random32() % 8);
  }
  if (random32() % 4 != 0) make_right(out, length);
  return length;
}

static void keep_if_new(const uint8_t *data, size_t length) {
  bool is_new = false;
  for (size_t at = 0; at < PLACES; at++)
    if (reached[at] != 0 && ever[at] == 0) ever[at] = is_new = true;
  if (!is_new || kept == CORPUS) return;
  corpus[kept].data = copy_of(data, length);
  corpus[kept++].length = length;
}

static void seed_corpus(void) {
  uint8_t packet[200] = {0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, 6, 0, 0, 10, 1, 1, 2, 10, 1, 2, 2, 0x10, 0, 0x20, 0};
  packet[32] = 0x80; /* TCP with 12 octets of options */
  packet[33] = 0x10;
  for (int protocol = 0; protocol < 3; protocol++) {
    packet[9] = (uint8_t[]){6, 17, 1}[protocol];
    make_right(packet, sizeof packet);
    try_packet(packet, sizeof packet);
    keep_if_new(packet, sizeof packet);
  }
}

static const Peer *search(const PeerTable *table, uint32_t address) {
  const Peer *best = NULL;
  for (size_t at = 0; at < table->count; at++) {
    const Peer *p = &table->peers[at];
    uint32_t mask = p->length == 0 ? 0 : UINT32_MAX << (32 - p->length);
    if ((address & mask) == p->subnet && (best == NULL || p->length > best->length)) best = p;
  }
  return best;
}

/* Against a search of all; counts go on with whoever stays. */
static void try_peers(void) {
  uint32_t rows[3 * 40];
  PeerTable *table = NULL;
  for (int generation = 0; generation < 6; generation++) {
    size_t count = random32() % 40;
    for (size_t at = 0; at < count; at++) {
      rows[3 * at] = random32() % 3 == 0 ? random32() : 0x0a000000 | random32() % 0x1000;
      rows[3 * at + 1] = random32() % 3 == 0 ? random32() % 33 : 20 + random32() % 13;
      rows[3 * at + 2] = 1 + random32() % 8;
    }
    PeerTable *next = make_peers(rows, count, table);
    for (int asked = 0; asked < 200; asked++) {
      uint32_t address = random32() % 2 == 0 ? random32() : 0x0a000000 | random32() % 0x1100;
      if (asked % 4 == 0 && count != 0) address = next->peers[random32() % count].subnet - (uint32_t)(asked % 3 == 0);
      require(peer_of(next, address) == search(next, address), "the longest prefix");
    }
    for (uint32_t address = 0; address < 10; address++) {
      const Peer *found = peer_at_address(next, address);
      bool is_there = false;
      for (size_t at = 0; at < count; at++) is_there |= next->peers[at].address == address;
      require(is_there ? found != NULL && found->address == address : found == NULL, "who is at an address");
    }
    for (size_t at = 0; at < count; at++) add_to(&next->peers[at].counts->sent, 1);
    free_peers(table);
    table = next;
  }
  free_peers(table);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  state = strtoull(arguments[2], NULL, 10);
  unsigned long most = strtoul(arguments[1], NULL, 10);
  uint8_t input[INPUT];
  seed_corpus();
  for (int times = 0; times < 300; times++) try_peers();
  while (tried < most) {
    size_t which = random32() % kept;
    size_t length = mutate(input, corpus[which].data, corpus[which].length);
    memset(reached, 0, sizeof reached);
    try_packet(input, length);
    keep_if_new(input, length);
  }
  return printf("{\"kept\":%zu,\"joined\":%lu}\n", kept, joined) < 0;
}
