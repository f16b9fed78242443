/* From peers to the device. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "thread.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
  MESSAGES = 32,
  ITEMS = 128,
  SEGMENTS = 64,
  LATEST = 64,
  BEFORE = 16,  /* octets before what is received, for a struct virtio_net_hdr */
  PAUSE_MS = 10 /* after an error */
};

/* What is written in one call: a packet, or many of one flow as one. */
typedef struct {
  Gso gso; /* of more than one, or as long as it may become that */
  unsigned segments;
  bool is_open, is_checked, pushes;
  Ip ip; /* of the first */
  struct virtio_net_hdr offload;
  uint8_t headers[HEADERS_MOST];
  struct iovec parts[2 + SEGMENTS]; /* offload, headers, payloads; of a packet alone all of it is its headers */
} Item;

struct Inward {
  Side *side;
  Forwarder *forwarder;
  const PeerTable *peers;
  unsigned packets; /* of this round */
  unsigned items, used; /* `used`: of the messages, those that the kernel has written into */
  Item *latest[LATEST]; /* by flow */
  struct mmsghdr messages[MESSAGES];
  struct sockaddr_in from[MESSAGES];
  struct iovec room[MESSAGES];
  union {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int)) + 32];
  } control[MESSAGES];
  Item item[ITEMS];
  uint8_t icmp[ICMP_MOST];
  uint8_t data[MESSAGES][BEFORE + (1 << 16)];
};

static int write_parts(Inward *i, const struct iovec *parts, size_t many) {
  bool header = i->forwarder->has_header;
  count(i->side, FORWARD_CALLS, 1);
  return writev(i->forwarder->tun, parts + !header, (int)(many - !header)) < 0 ? errno : 0;
}

/*
 * A packet alone, its header in the octets before it: a call with one part is the cheaper one. Those are the end of the packet that came
 * before it in the same message, which is written by then: items are in the order of their first packets.
 */
static int write_alone(Inward *i, const Item *item) {
  uint8_t *packet = item->parts[1].iov_base;
  size_t header = i->forwarder->has_header ? sizeof item->offload : 0;
  memcpy(packet - header, &item->offload, header);
  count(i->side, FORWARD_CALLS, 1);
  return write(i->forwarder->tun, packet - header, header + item->parts[1].iov_len) < 0 ? errno : 0;
}

/* As they came: each payload still has its headers before it. @returns how many were refused */
static unsigned write_each(Inward *i, const Item *item) {
  struct virtio_net_hdr none = {0};
  unsigned refused = 0;
  for (unsigned at = 0; at < item->segments; at++) {
    const struct iovec *payload = &item->parts[2 + at];
    struct iovec parts[] = {{&none, sizeof none},
                            {(uint8_t *)payload->iov_base - item->gso.headers, item->gso.headers + payload->iov_len}};
    if (write_parts(i, parts, 2) != 0) refused++;
  }
  return refused;
}

static void finish(Item *item) {
  bool is_tcp = item->gso.protocol == PROTOCOL_TCP;
  make_gso_headers(&item->gso, item->pushes, item->headers);
  item->parts[1] = (struct iovec){item->headers, item->gso.headers};
  item->offload = (struct virtio_net_hdr){
      .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
      .gso_type = is_tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_UDP_L4,
      .hdr_len = item->gso.headers,
      .gso_size = item->gso.size,
      .csum_start = item->gso.ip,
      .csum_offset = (uint16_t)sum_offset(item->gso.protocol),
  };
}

static void write_item(Inward *i, Item *item) {
  if (item->segments > 1) finish(item);
  int error = item->segments > 1 ? write_parts(i, item->parts, 2 + item->segments) : write_alone(i, item);
  unsigned refused = error == 0 ? 0 : item->segments;
  if (error == EBADFD) fail(i->side, ENODEV);
  else if (error == EINVAL && item->segments > 1 && (refused = write_each(i, item)) == 0)
    atomic_store(&i->forwarder->merges, false);
  if (refused != 0) count(i->side, FORWARD_IN_FAILED, refused);
}

static void write_all(Inward *i) {
  for (unsigned at = 0; at < i->items; at++) write_item(i, &i->item[at]);
  i->items = 0;
  memset(i->latest, 0, sizeof i->latest);
}

static bool is_checked(Item *item) {
  return item->is_checked || (item->is_checked = transport_sum_right(item->gso.packet, &item->ip));
}

/* Whether it could be made part of a flow's latest item. What is wrong stays alone: the kernel is to see that it is. */
static bool append(Item *item, const uint8_t *packet, const Ip *ip) {
  GsoNext next = continues_gso(&item->gso, item->segments, packet, ip);
  size_t payload = (size_t)(ip->length - item->gso.headers);
  if (next == GSO_NO || item->gso.length + payload > PACKET_MOST || !is_checked(item) || !transport_sum_right(packet, ip))
    return false;
  if (item->segments == 1)
    item->parts[2] = (struct iovec){(uint8_t *)item->gso.packet + item->gso.headers, item->gso.size};
  item->parts[2 + item->segments++] = (struct iovec){(uint8_t *)packet + item->gso.headers, payload};
  item->gso.length += (uint32_t)payload;
  item->is_open = next == GSO_MORE && item->segments < SEGMENTS;
  item->pushes = next == GSO_LAST && ip->protocol == PROTOCOL_TCP && (packet[ip->header + 13] & 8) != 0;
  return true;
}

/* Packets of one flow stay in order: what does not continue its latest item begins the next one. */
static void put(Inward *i, uint8_t *packet, const Ip *ip) {
  bool merges = atomic_load_explicit(&i->forwarder->merges, memory_order_relaxed) &&
                (ip->protocol == PROTOCOL_TCP || (ip->protocol == PROTOCOL_UDP && i->forwarder->merges_udp));
  Gso gso;
  bool begins = merges && begins_gso(packet, ip, &gso);
  uint32_t ports = 0;
  if (ip->length >= ip->header + 4) memcpy(&ports, packet + ip->header, 4);
  uint32_t mixed = (ip->source ^ ip->destination * 31 ^ ports) * 0x9e3779b1u;
  Item **latest = &i->latest[mixed >> 26];
  if (merges && *latest != NULL && (*latest)->is_open && append(*latest, packet, ip)) return;
  if (i->items == ITEMS) write_all(i);
  Item *item = *latest = &i->item[i->items++];
  item->segments = 1;
  item->is_open = begins;
  item->is_checked = item->pushes = false;
  item->ip = *ip;
  if (begins) item->gso = gso;
  item->offload = (struct virtio_net_hdr){0};
  item->parts[0] = (struct iovec){&item->offload, sizeof item->offload};
  item->parts[1] = (struct iovec){packet, ip->length};
}

/* To the peer that it came from. */
static void complain(Inward *i, const Peer *peer, const uint8_t *packet, const Ip *ip) {
  size_t length = make_icmp_error(i->icmp, ICMP_EXPIRED, 0, 0, i->forwarder->settings.subnet, packet, ip);
  if (length == 0) return;
  if (!may_complain(i->side)) return count(i->side, FORWARD_ICMP_LIMITED, 1);
  struct sockaddr_in to = place_of(i->forwarder, peer->address);
  count(i->side, FORWARD_CALLS, 1);
  if (sendto(i->forwarder->socket, i->icmp, length, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to) >= 0)
    count(i->side, FORWARD_ICMP_SENT, 1);
}

static bool is_ours(const ForwarderSettings *own, uint32_t address) {
  return own->subnet_length == 0 || (address ^ own->subnet) >> (32 - own->subnet_length) == 0;
}

/* A datagram of somebody at the address of a peer, `sender`. */
static void take(Inward *i, const Peer *sender, uint8_t *packet, size_t length) {
  Ip ip;
  PacketFault fault = read_ip(packet, length, &ip);
  if (fault == PACKET_NOT_IPV4) return count(i->side, FORWARD_IN_NOT_IPV4, 1);
  if (fault != PACKET_FINE || !ip_sum_right(packet, &ip)) return count(i->side, FORWARD_IN_MALFORMED, 1);
  const Peer *peer = peer_of(i->peers, ip.source);
  if (peer == NULL || peer->address != sender->address) {
    add_to(&sender->counts->refused, 1);
    return count(i->side, FORWARD_IN_FOREIGN_SOURCE, 1);
  }
  if (!is_ours(&i->forwarder->settings, ip.destination)) return count(i->side, FORWARD_IN_NOT_FOR_US, 1);
  if (ip.ttl <= 1) {
    count(i->side, FORWARD_IN_EXPIRED, 1);
    return complain(i, peer, packet, &ip);
  }
  lower_ttl(packet);
  count(i->side, FORWARD_RECEIVED, 1);
  count(i->side, FORWARD_RECEIVED_OCTETS, length);
  add_to(&peer->counts->received, 1);
  add_to(&peer->counts->received_octets, length);
  put(i, packet, &ip);
}

/* Of how many octets each of the datagrams is that the kernel has put together, but for the last. */
static size_t size_of(struct msghdr *message, size_t length) {
  int size = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c))
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) memcpy(&size, CMSG_DATA(c), sizeof size);
  return size > 0 ? (size_t)size : length;
}

static void take_message(Inward *i, unsigned at) {
  size_t length = i->messages[at].msg_len, size = size_of(&i->messages[at].msg_hdr, length);
  i->packets += size == 0 ? 1 : (unsigned)((length + size - 1) / size);
  const Peer *sender = peer_at_address(i->peers, ntohl(i->from[at].sin_addr.s_addr));
  if (sender == NULL || ntohs(i->from[at].sin_port) != i->forwarder->settings.port)
    return count(i->side, FORWARD_IN_STRANGER, size == 0 ? 1 : (length + size - 1) / size);
  if (length == 0) return count(i->side, FORWARD_IN_MALFORMED, 1);
  for (size_t offset = 0; offset < length; offset += size)
    take(i, sender, i->data[at] + BEFORE + offset, length - offset < size ? length - offset : size);
}

static void prepare(Inward *i) {
  for (unsigned at = 0; at < i->used; at++)
    i->messages[at].msg_hdr = (struct msghdr){.msg_name = &i->from[at],
                                              .msg_namelen = sizeof i->from[at],
                                              .msg_iov = &i->room[at],
                                              .msg_iovlen = 1,
                                              .msg_control = &i->control[at],
                                              .msg_controllen = sizeof i->control[at]};
}

/* One by one it is the cheaper call. */
static int receive(Inward *i, bool one, int flags) {
  int fd = i->forwarder->socket;
  if (!one) return recvmmsg(fd, i->messages, MESSAGES, flags | MSG_WAITFORONE, NULL);
  ssize_t length = recvmsg(fd, &i->messages[0].msg_hdr, flags);
  if (length < 0) return -1;
  i->messages[0].msg_len = (unsigned)length;
  return 1;
}

bool take_round(Inward *i, bool one, int flags, unsigned *packets) {
  prepare(i);
  int got = receive(i, one, flags);
  *packets = i->packets = 0;
  if (atomic_load_explicit(&i->forwarder->ends, memory_order_relaxed)) return false;
  count(i->side, FORWARD_CALLS, 1);
  i->used = got < 0 ? MESSAGES : (unsigned)got;
  if (got < 0) return errno == EAGAIN || errno == EINTR || wait_for(i->side, i->forwarder->socket, 0, PAUSE_MS);
  i->peers = hold_peers(i->side);
  for (int at = 0; at < got; at++) take_message(i, (unsigned)at);
  write_all(i);
  release_peers(i->side);
  *packets = i->packets;
  return true;
}

Inward *make_inward(Side *side) {
  Inward *i = calloc(1, sizeof *i);
  if (i == NULL) return NULL;
  i->side = side;
  i->forwarder = side->forwarder;
  i->used = MESSAGES;
  for (unsigned at = 0; at < MESSAGES; at++) i->room[at] = (struct iovec){i->data[at] + BEFORE, sizeof i->data[at] - BEFORE};
  return i;
}
