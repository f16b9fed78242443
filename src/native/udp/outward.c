/* From the device to peers. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "thread.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
  ARENA = 1 << 20,                         /* packets of one round, each with its virtio_net_hdr */
  ROOM = sizeof(struct virtio_net_hdr) + PACKET_MOST + 1,
  PACKETS = 128,                           /* read in one round */
  BATCHES = 128,                           /* sent in one call */
  SEGMENTS = 64,                           /* of one batch (UDP_MAX_SEGMENTS of linux/udp.h, as old kernels have it) */
  OCTETS = 65535 - 20 - 8,                 /* of one batch */
  HEADERS = 2048,
  LATEST = 64,
  WAIT_MS = 5,                             /* for room in the socket, so often in one round */
  WAITS = 4
};

/* Datagrams to one peer, all of one size but the last, which may be shorter: one datagram for the kernel, until the device takes it. */
typedef struct {
  const Peer *peer;
  unsigned count;
  uint32_t octets;
  uint16_t size;
  bool is_full;
  struct sockaddr_in to;
  union {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
  } control;
  struct iovec parts[2 * SEGMENTS]; /* two for each datagram */
} Batch;

struct Outward {
  Side *side;
  Forwarder *forwarder;
  const PeerTable *peers;
  unsigned packets; /* of this round, as datagrams */
  unsigned batches, headers;
  Batch *latest[LATEST]; /* by the peer's row */
  struct mmsghdr messages[BATCHES];
  Batch batch[BATCHES];
  uint8_t header[HEADERS][HEADERS_MOST];
  uint8_t icmp[ICMP_MOST];
  uint8_t arena[ARENA];
};

static void credit(Outward *o, const Batch *batch, uint64_t packets, uint64_t octets) {
  count(o->side, FORWARD_SENT, packets);
  count(o->side, FORWARD_SENT_OCTETS, octets);
  add_to(&batch->peer->counts->sent, packets);
  add_to(&batch->peer->counts->sent_octets, octets);
}

/* Where the kernel does not take them together: a device without checksums (EIO), a path that is narrower than it was (EINVAL, EMSGSIZE). */
static void send_each(Outward *o, Batch *batch) {
  for (unsigned at = 0; at < batch->count; at++) {
    struct msghdr message = {
        .msg_name = &batch->to, .msg_namelen = sizeof batch->to, .msg_iov = &batch->parts[2 * at], .msg_iovlen = 2};
    ssize_t sent = sendmsg(o->forwarder->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    count(o->side, FORWARD_CALLS, 1);
    if (sent >= 0) credit(o, batch, 1, (uint64_t)sent);
    else count(o->side, FORWARD_OUT_FAILED, 1);
  }
}

static void not_sent(Outward *o, Batch *batch, int error) {
  if (batch->count > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE)) {
    if (error == EIO) atomic_store(&o->forwarder->sends_many, false);
    send_each(o, batch);
  } else
    count(o->side, FORWARD_OUT_FAILED, batch->count);
}

static void prepare(struct mmsghdr *message, Batch *batch) {
  message->msg_hdr = (struct msghdr){
      .msg_name = &batch->to, .msg_namelen = sizeof batch->to, .msg_iov = batch->parts, .msg_iovlen = 2 * batch->count};
  if (batch->count == 1) return;
  struct cmsghdr *control = &batch->control.header;
  control->cmsg_level = IPPROTO_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof batch->size);
  memcpy(CMSG_DATA(control), &batch->size, sizeof batch->size);
  message->msg_hdr.msg_control = control;
  message->msg_hdr.msg_controllen = sizeof batch->control;
}

/* One by one they are the cheaper calls. */
static int send_some(Outward *o, unsigned from) {
  int fd = o->forwarder->socket, flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  const Batch *batch = &o->batch[from];
  const struct iovec *whole = &batch->parts[0];
  if (o->batches - from > 1) return sendmmsg(fd, &o->messages[from], o->batches - from, flags);
  if (batch->count > 1 || batch->parts[1].iov_len > 0) return sendmsg(fd, &o->messages[from].msg_hdr, flags) < 0 ? -1 : 1;
  return sendto(fd, whole->iov_base, whole->iov_len, flags, (const struct sockaddr *)&batch->to, sizeof batch->to) < 0 ? -1 : 1;
}

static void send_all(Outward *o) {
  int waits = WAITS;
  if (o->batches == 0) return;
  for (unsigned at = 0; at < o->batches; at++) prepare(&o->messages[at], &o->batch[at]);
  for (unsigned at = 0; at < o->batches;) {
    int sent = send_some(o, at);
    count(o->side, FORWARD_CALLS, 1);
    for (int i = 0; i < sent; i++, at++) credit(o, &o->batch[at], o->batch[at].count, o->batch[at].octets);
    if (sent >= 0 || errno == EINTR) continue;
    if (errno == EAGAIN && waits-- > 0 && wait_for(o->side, o->forwarder->socket, POLLOUT, WAIT_MS)) continue;
    not_sent(o, &o->batch[at++], errno);
  }
  o->batches = o->headers = 0;
  memset(o->latest, 0, sizeof o->latest);
}

static Batch *new_batch(Outward *o, const Peer *peer, size_t size) {
  if (o->batches == BATCHES) send_all(o);
  Batch *batch = &o->batch[o->batches++];
  batch->peer = peer;
  batch->count = batch->octets = 0;
  batch->size = (uint16_t)size;
  batch->is_full = false;
  batch->to = place_of(o->forwarder, peer->address);
  return batch;
}

static bool has_room(const Batch *batch, const Peer *peer, size_t size) {
  return batch != NULL && batch->peer == peer && !batch->is_full && size <= batch->size && batch->octets + size <= OCTETS;
}

/* Packets to one peer stay in order: what does not fit its latest batch begins the next one. */
static void add(Outward *o, const Peer *peer, struct iovec headers, struct iovec payload) {
  size_t size = headers.iov_len + payload.iov_len, slot = (size_t)(peer - o->peers->peers) % LATEST;
  Batch *batch = has_room(o->latest[slot], peer, size) ? o->latest[slot] : new_batch(o, peer, size);
  o->latest[slot] = batch;
  batch->parts[2 * batch->count] = headers;
  batch->parts[2 * batch->count + 1] = payload;
  batch->count++;
  o->packets++;
  batch->octets += (uint32_t)size;
  batch->is_full = size < batch->size || batch->count == SEGMENTS || !atomic_load_explicit(&o->forwarder->sends_many, memory_order_relaxed);
}

static void add_segments(Outward *o, const Peer *peer, const Gso *gso) {
  unsigned segments = gso_segments(gso);
  for (unsigned at = 0; at < segments; at++) {
    size_t offset = gso->headers + (size_t)at * gso->size, left = gso->length - offset;
    struct iovec payload = {(uint8_t *)gso->packet + offset, left < gso->size ? left : gso->size};
    if (o->headers == HEADERS || o->batches == BATCHES) send_all(o); /* before it has headers: those are free again afterwards */
    uint8_t *headers = o->header[o->headers++];
    make_segment(gso, at, payload.iov_base, payload.iov_len, headers);
    add(o, peer, (struct iovec){headers, gso->headers}, payload);
  }
}

/*
 * Back to whoever sent it. It comes from the address of the device, through the device: the kernel takes that where the device's setting
 * `accept_local` says so.
 */
static void complain(Outward *o, int type, int code, uint32_t mtu, const uint8_t *packet, const Ip *ip) {
  size_t length = make_icmp_error(o->icmp, type, code, (uint16_t)mtu, o->forwarder->settings.subnet, packet, ip);
  if (length == 0) return;
  if (!may_complain(o->side)) return count(o->side, FORWARD_ICMP_LIMITED, 1);
  struct virtio_net_hdr none = {0};
  size_t header = o->forwarder->has_header ? sizeof none : 0;
  struct iovec parts[] = {{&none, header}, {o->icmp, length}};
  if (writev(o->forwarder->tun, parts, 2) >= 0) count(o->side, FORWARD_ICMP_SENT, 1);
  count(o->side, FORWARD_CALLS, 1);
}

/* Size of a packet as a datagram; 0 when what the kernel says of it cannot be. */
static size_t read_offload(const struct virtio_net_hdr *header, uint8_t *packet, const Ip *ip, Gso *gso) {
  int type = header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
  if (type == VIRTIO_NET_HDR_GSO_NONE) {
    bool is_summed = (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0;
    return is_summed || fill_sum(packet, ip, header->csum_start, header->csum_offset) ? ip->length : 0;
  }
  int wanted = ip->protocol == PROTOCOL_TCP ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_UDP_L4;
  if (type != wanted || !read_gso(packet, ip, header->gso_size, gso)) return 0;
  return gso_segments(gso) == 1 ? gso->length : (size_t)gso->headers + gso->size;
}

static void forward(Outward *o, const struct virtio_net_hdr *header, uint8_t *packet, size_t length) {
  Ip ip;
  Gso gso = {0};
  PacketFault fault = read_ip(packet, length, &ip);
  if (fault != PACKET_FINE) return count(o->side, fault == PACKET_NOT_IPV4 ? FORWARD_OUT_NOT_IPV4 : FORWARD_OUT_MALFORMED, 1);
  const Peer *peer = peer_of(o->peers, ip.destination);
  size_t size = read_offload(header, packet, &ip, &gso);
  uint32_t mtu = atomic_load_explicit(&o->forwarder->mtu, memory_order_relaxed);
  if (size == 0) return count(o->side, FORWARD_OUT_MALFORMED, 1);
  if (peer == NULL) {
    count(o->side, FORWARD_OUT_NO_PEER, 1);
    return complain(o, ICMP_UNREACHABLE, ICMP_NET, 0, packet, &ip);
  }
  if (ip.ttl <= 1) {
    count(o->side, FORWARD_OUT_EXPIRED, 1);
    return complain(o, ICMP_EXPIRED, 0, 0, packet, &ip);
  }
  if ((mtu != 0 && size > mtu && (ip.fragment & 0x4000) != 0) || size > OCTETS) {
    count(o->side, FORWARD_OUT_TOO_BIG, 1);
    return complain(o, ICMP_UNREACHABLE, ICMP_TOO_BIG, mtu == 0 ? OCTETS : mtu, packet, &ip);
  }
  lower_ttl(packet);
  if (gso.packet != NULL) add_segments(o, peer, &gso);
  else add(o, peer, (struct iovec){packet, length}, (struct iovec){NULL, 0});
}

bool forward_round(Outward *o, bool is_first, unsigned *packets) {
  size_t header = o->forwarder->has_header ? sizeof(struct virtio_net_hdr) : 0;
  size_t at = 0;
  unsigned reads = 0;
  ssize_t got = 0;
  o->peers = hold_peers(o->side);
  o->packets = 0;
  for (; reads < PACKETS && ARENA - at >= ROOM; reads++) {
    struct virtio_net_hdr offload = {0};
    got = read(o->forwarder->tun, o->arena + at, ROOM);
    if (got < 0 || (size_t)got < header) break;
    memcpy(&offload, o->arena + at, header);
    forward(o, &offload, o->arena + at + header, (size_t)got - header);
    at += ((size_t)got + 15) & ~(size_t)15;
    if (is_first && reads == 0) send_all(o);
  }
  int error = got < 0 ? errno : 0;
  count(o->side, FORWARD_CALLS, reads + 1);
  send_all(o);
  release_peers(o->side);
  *packets = reads > o->packets ? reads : o->packets;
  if (error == EINVAL) count(o->side, FORWARD_OUT_MALFORMED, 1); /* of a packet that the device has no words for (tun_put_user) */
  else if (error != 0 && error != EAGAIN && error != EINTR) fail(o->side, error == EBADFD ? ENODEV : error);
  return error == 0 && !atomic_load_explicit(&o->forwarder->ends, memory_order_relaxed);
}

Outward *make_outward(Side *side) {
  Outward *o = calloc(1, sizeof *o);
  if (o == NULL) return NULL;
  o->side = side;
  o->forwarder = side->forwarder;
  return o;
}
