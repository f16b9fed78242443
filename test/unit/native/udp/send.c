/*
 * What is read from the device, one packet or many in one, and what is sent of it: each packet once, in order, as it was. The calls are not
 * the kernel's: what they read is made here, what they send is looked at, and they fail as the kernel's do.
 *
 *   send ROUNDS SEED   prints how many packets were sent and how many were not, and how many calls were refused
 */
#include "../../../../src/native/udp/thread.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OWN = 0x0a090101, THERE = 0x0a0a0000, PEERS = 200, HEADER = sizeof(struct virtio_net_hdr), TAG = 12, OPTIONS = 12 };

static uint64_t state;
static unsigned long sent, refused, unreadable;
static unsigned left, shortest, longest; /* of this round: packets to be read, and the sizes of their payloads */
static uint32_t made[PEERS], arrived[PEERS];
static bool fails, refuses_many;
static uint8_t datagram[70000];

/* Nobody starts threads here. */
int uv_thread_create(uv_thread_t *id, uv_thread_cb run, void *data) { return id == NULL || run == NULL || data == NULL; }
int uv_thread_join(uv_thread_t *id) { return id == NULL; }

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

static void put(uint8_t *at, uint32_t value, int octets) {
  while (octets-- > 0) at[octets] = (uint8_t)value, value >>= 8;
}

static uint32_t get(const uint8_t *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

static uint32_t sum_of(const uint8_t *data, size_t length, uint32_t sum) {
  for (size_t at = 0; at < length; at++) sum += at % 2 == 0 ? (uint32_t)data[at] << 8 : data[at];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

/* What a payload says of itself, so that its packet is known: the peer, its number among that peer's, and TCP's sequence number. */
static void tag(uint8_t *payload, uint32_t peer, uint32_t sequence) {
  put(payload, peer, 4);
  put(payload + 4, made[peer]++, 4);
  put(payload + 8, sequence, 4);
}

/* Headers, transport checksums to be filled in, as the kernel leaves them to a device. */
static size_t put_headers(uint8_t *ip, bool is_tcp, uint32_t peer, size_t payload) {
  size_t headers = is_tcp ? 40 + OPTIONS : 28, length = headers + payload;
  memset(ip, 0, headers);
  put(ip, 0x45, 1);
  put(ip + 2, (uint32_t)length, 2);
  put(ip + 8, 64, 1);
  put(ip + 9, is_tcp ? PROTOCOL_TCP : PROTOCOL_UDP, 1);
  put(ip + 12, OWN, 4);
  put(ip + 16, THERE + 256 * peer + 1, 4);
  put(ip + 10, sum_of(ip, 20, 0) ^ 0xffff, 2);
  if (is_tcp) put(ip + 32, 0x8010, 2), memset(ip + 40, 1, OPTIONS);
  else put(ip + 24, (uint32_t)(length - 20), 2);
  put(ip + (is_tcp ? 36 : 26), sum_of(ip + 12, 8, (uint32_t)(ip[9] + length - 20)), 2);
  return headers;
}

/* One packet, or many of one flow. */
static size_t make(struct virtio_net_hdr *offload, uint8_t *ip) {
  bool is_tcp = random32() % 2 == 0, is_many = random32() % 4 == 0;
  uint32_t peer = random32() % PEERS, sequence = random32();
  size_t size = shortest + random32() % (longest - shortest + 1), headers = is_tcp ? 40 + OPTIONS : 28;
  size_t most = is_tcp ? (PACKET_MOST - headers) / size : 64;
  size_t many = is_many ? 1 + random32() % most : 1, last = TAG + random32() % (size - TAG + 1);
  if (many * size > PACKET_MOST - headers) many = (PACKET_MOST - headers) / size;
  size_t payload = (many - 1) * size + last;
  put_headers(ip, is_tcp, peer, payload);
  if (is_tcp) put(ip + 24, sequence, 4);
  memset(ip + headers, (int)random32(), payload);
  for (size_t at = 0; at < many; at++) tag(ip + headers + at * size, peer, is_tcp ? sequence + (uint32_t)(at * size) : 0);
  *offload = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 20, .csum_offset = is_tcp ? 16 : 6};
  if (many > 1) offload->gso_size = (uint16_t)size, offload->gso_type = is_tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : 5;
  return headers + payload;
}

ssize_t __wrap_read(int fd, void *data, size_t room) {
  if (fd < 0 || left == 0) return errno = EAGAIN, -1;
  if (fails && random32() % 16 == 0) return unreadable++, left--, errno = EINVAL, -1;
  struct virtio_net_hdr offload;
  size_t length = make(&offload, (uint8_t *)data + HEADER);
  require(HEADER + length <= room, "there is room for any packet");
  memcpy(data, &offload, HEADER);
  left--;
  return (ssize_t)(HEADER + length);
}

static void arrives(const uint8_t *packet, size_t length, const struct sockaddr_in *to) {
  Ip ip;
  require(read_ip(packet, length, &ip) == PACKET_FINE && ip_sum_right(packet, &ip) && ip.ttl == 63, "each is a packet, its header right");
  require(transport_sum_right(packet, &ip), "and its checksum");
  const uint8_t *payload = packet + (ip.protocol == PROTOCOL_TCP ? 40 + OPTIONS : 28);
  uint32_t peer = get(payload);
  require(peer < PEERS && ip.destination == THERE + 256 * peer + 1 && ntohl(to->sin_addr.s_addr) == peer + 1, "it goes where it belongs");
  require(ip.protocol != PROTOCOL_TCP || get(packet + 24) == get(payload + 8), "what it says stands where it says");
  uint32_t number = get(payload + 4);
  require(fails ? number >= arrived[peer] : number == arrived[peer], "in order, none twice, none missing");
  arrived[peer] = number + 1;
  sent++;
}

/* Of a call that takes many packets as one: as the kernel cuts it. */
static void cut(const struct msghdr *message) {
  size_t length = 0, size = 0;
  for (size_t at = 0; at < message->msg_iovlen; at++) {
    if (message->msg_iov[at].iov_len == 0) continue;
    memcpy(datagram + length, message->msg_iov[at].iov_base, message->msg_iov[at].iov_len);
    length += message->msg_iov[at].iov_len;
  }
  uint16_t told = 0;
  if (message->msg_controllen != 0) memcpy(&told, CMSG_DATA(CMSG_FIRSTHDR(message)), sizeof told);
  size = told == 0 ? length : told;
  require(length <= 65507 && (length + size - 1) / size <= 64, "the kernel takes it");
  for (size_t at = 0; at < length; at += size) arrives(datagram + at, length - at < size ? length - at : size, message->msg_name);
}

/* Errno of a call, now and then. */
static int refusal(const struct msghdr *message) {
  bool is_many = message->msg_controllen != 0;
  if (refuses_many && is_many) return refused++, EIO;
  if (!fails || random32() % 8 != 0) return 0;
  refused++;
  return is_many ? (int[]){EINVAL, EMSGSIZE, EAGAIN, EPERM}[random32() % 4] : (int[]){EAGAIN, EPERM, ENETUNREACH, EINTR}[random32() % 4];
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
  int error = fd < 0 || flags == 0 ? EBADF : refusal(message);
  if (error != 0) return errno = error, -1;
  cut(message);
  size_t length = 0;
  for (size_t at = 0; at < message->msg_iovlen; at++) length += message->msg_iov[at].iov_len;
  return (ssize_t)length;
}

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned many, int flags) {
  for (unsigned at = 0; at < many; at++)
    if (__wrap_sendmsg(fd, &messages[at].msg_hdr, flags) < 0) return at == 0 ? -1 : (int)at;
  return (int)many;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
  struct iovec part = {(void *)(uintptr_t)data, length};
  struct msghdr message = {.msg_name = (void *)(uintptr_t)to, .msg_namelen = size, .msg_iov = &part, .msg_iovlen = 1};
  return __wrap_sendmsg(fd, &message, flags);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  state = strtoull(arguments[2], NULL, 10);
  Forwarder *f = calloc(1, sizeof *f);
  uint32_t rows[3 * PEERS];
  for (uint32_t at = 0; at < PEERS; at++) rows[3 * at] = THERE + 256 * at, rows[3 * at + 1] = 24, rows[3 * at + 2] = at + 1;
  f->tun = f->socket = socket(AF_INET, SOCK_DGRAM, 0);
  f->has_header = true;
  atomic_init(&f->peers, make_peers(rows, PEERS, NULL));
  f->sides[OUTWARD].forwarder = f->sides[INWARD].forwarder = f;
  Outward *o = make_outward(&f->sides[OUTWARD]);
  for (long round = atol(arguments[1]); round > 0; round--) {
    unsigned packets;
    left = 1 + random32() % 300;
    shortest = TAG + random32() % 200;
    longest = random32() % 2 == 0 ? shortest : shortest + random32() % 1200;
    fails = random32() % 4 == 0;
    refuses_many = random32() % 4 == 0;
    atomic_store(&f->sends_many, random32() % 4 != 0);
    for (bool is_first = true; left > 0; is_first = false) (void)forward_round(o, is_first, &packets);
    for (unsigned peer = 0; peer < PEERS; peer++) arrived[peer] = fails ? made[peer] : arrived[peer];
    for (unsigned peer = 0; peer < PEERS; peer++) require(arrived[peer] == made[peer], "none is left");
  }
  unsigned long total = 0, not_sent = atomic_load(&f->sides[OUTWARD].counts[FORWARD_OUT_FAILED]);
  for (unsigned peer = 0; peer < PEERS; peer++) total += made[peer];
  require(sent + not_sent == total && atomic_load(&f->sides[OUTWARD].counts[FORWARD_SENT]) == sent, "they are counted");
  require(atomic_load(&f->failure) == 0, "it goes on");
  require(atomic_load(&f->sides[OUTWARD].counts[FORWARD_OUT_MALFORMED]) == unreadable, "without what it cannot be handed");
  free_peers(atomic_load(&f->peers));
  close(f->socket);
  free(o);
  free(f);
  return printf("{\"sent\":%lu,\"notSent\":%lu,\"refused\":%lu}\n", sent, not_sent, refused) < 0;
}
