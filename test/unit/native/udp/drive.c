/*
 * Both threads of a forwarder, on a socket pair in place of a device, while its peers are swapped, it is stopped and started again, and what
 * comes from both sides is what nobody should send. Made with sanitizers: with that for threads it finds races, with that for addresses
 * what is read after it was freed or beyond its end.
 *
 *   drive MILLISECONDS SEED PORT   prints how many packets have come through on each side, how often each direction was given a thread of
 *                                  its own, and how often one of them was woken for what is the other's
 *
 * Linked with --wrap for the calls by which threads hand each other what they carry: each is held up at times, as by a scheduler, so that
 * what may come in between does.
 */
#include "../../../../src/native/udp/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <pthread.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* libuv's threads are those of POSIX. */
int uv_thread_create(uv_thread_t *id, uv_thread_cb run, void *data) {
  return -pthread_create(id, NULL, (void *(*)(void *))(void (*)(void))run, data);
}
int uv_thread_join(uv_thread_t *id) { return -pthread_join(*id, NULL); }

enum { OWN = 0x0a090100, THERE = 0x0a090200, HERE_AT = 0x7f000001, THERE_AT = 0x7f000002, HEADER = sizeof(struct virtio_net_hdr), LAST = 253 /* a protocol (RFC 3692) */ };

static uint64_t state;
static unsigned long outward, inward;
static _Atomic unsigned long parted, woken;
static Forwarder *_Atomic driven;
static uint8_t packet[HEADER + 70000];

static uint32_t random32(void) { /* xorshift64* */
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)(state * 0x2545f4914f6cdd1dull >> 32);
}

/* One time in two, for so long that the other thread comes to something. */
static void hold_up(void) {
  static _Thread_local unsigned times;
  const struct timespec a_while = {.tv_nsec = 100000};
  if (++times % 2 == 0) nanosleep(&a_while, NULL);
}

int __real_epoll_ctl(int events, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int events, int op, int fd, struct epoll_event *event) {
  if (event->events == 0) parted++;
  hold_up();
  return __real_epoll_ctl(events, op, fd, event);
}

/* Nobody but who waits here makes `is_apart` true: so it was before, and the socket is the other thread's. */
int __real_epoll_wait(int events, struct epoll_event *ready, int most, int timeout);
int __wrap_epoll_wait(int events, struct epoll_event *ready, int most, int timeout) {
  int many = __real_epoll_wait(events, ready, most, timeout);
  Forwarder *f = driven;
  for (int at = 0; at < many; at++)
    if (ready[at].data.fd == f->socket && (ready[at].events & EPOLLIN) != 0 && atomic_load(&f->is_apart)) woken++;
  return many;
}

ssize_t __real_write(int fd, const void *data, size_t length);
ssize_t __wrap_write(int fd, const void *data, size_t length) {
  if (length == sizeof(uint64_t)) hold_up();
  return __real_write(fd, data, length);
}

/* Its patience ends sooner: 20 ms are long here. */
int __real_recvmmsg(int fd, struct mmsghdr *messages, unsigned most, int flags, struct timespec *timeout);
int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned most, int flags, struct timespec *timeout) {
  static _Thread_local unsigned times;
  if (++times % 4 != 0) return __real_recvmmsg(fd, messages, most, flags, timeout);
  errno = EAGAIN;
  return -1;
}

static void require(int is_so, const char *what) {
  if (is_so) return;
  fprintf(stderr, "not so: %s\n", what);
  abort();
}

static void put(uint8_t *at, uint32_t value, int octets) {
  while (octets-- > 0) at[octets] = (uint8_t)value, value >>= 8;
}

static void put_sum(uint8_t *ip, size_t header) {
  uint32_t sum = 0;
  put(ip + 10, 0, 2);
  for (size_t at = 0; at < header; at += 2) sum += (uint32_t)ip[at] << 8 | ip[at + 1];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  put(ip + 10, sum ^ 0xffff, 2);
}

/* A packet, mostly right. */
static size_t make(uint8_t *ip, uint32_t source, uint32_t destination, size_t most) {
  size_t length = 20 + random32() % (random32() % 8 == 0 ? most - 20 : 1400), header = random32() % 8 == 0 ? 24 : 20;
  if (length < header) length = header;
  memset(ip, 0, 80);
  put(ip, 0x40 | (uint32_t)header / 4, 1);
  put(ip + 2, (uint32_t)length, 2);
  put(ip + 4, random32(), 2);
  put(ip + 6, random32() % 8 == 0 ? random32() : 0x4000, 2);
  put(ip + 8, random32() % 16 == 0 ? random32() % 3 : 64, 1);
  put(ip + 9, (uint32_t[]){6, 17, 1, 0}[random32() % 4], 1);
  put(ip + 12, source, 4);
  put(ip + 16, destination, 4);
  put(ip + header, 0x12345678, 4);
  put(ip + header + 12, 0x5010, 2);
  put_sum(ip, header);
  if (random32() % 4 == 0) ip[random32() % length] ^= (uint8_t)(1 << random32() % 8);
  return random32() % 16 == 0 ? random32() % (length + 4) : length;
}

enum { PLAIN = 24 };

/* A right one, of a protocol that nobody has. */
static void make_plain(uint8_t *ip, uint32_t source, uint32_t destination, uint32_t what) {
  memset(ip, 0, PLAIN);
  put(ip, 0x45, 1);
  put(ip + 2, PLAIN, 2);
  put(ip + 8, 64, 1);
  put(ip + 9, LAST, 1);
  put(ip + 12, source, 4);
  put(ip + 16, destination, 4);
  put_sum(ip, 20);
  memcpy(ip + 20, &what, sizeof what);
}

static void from_containers(int device) {
  struct virtio_net_hdr *header = (struct virtio_net_hdr *)packet;
  uint32_t to = random32() % 4 == 0 ? random32() : THERE + random32() % 0x300;
  size_t length = make(packet + HEADER, OWN + random32() % 256, to, 65535);
  *header = (struct virtio_net_hdr){0};
  if (random32() % 2 == 0) header->flags = 1, header->csum_start = (uint16_t)(random32() % 64), header->csum_offset = (uint16_t)(random32() % 20);
  if (random32() % 3 == 0) header->gso_type = (uint8_t[]){1, 5, 0x81, 3}[random32() % 4], header->gso_size = (uint16_t)(random32() % 1500);
  (void)!send(device, packet, random32() % 32 == 0 ? random32() % 12 : HEADER + length, MSG_DONTWAIT);
}

static void from_somebody(int underlay, const struct sockaddr_in *to) {
  uint32_t source = random32() % 8 == 0 ? random32() : THERE + random32() % 0x100;
  uint32_t destination = random32() % 8 == 0 ? random32() : OWN + random32() % 0x100;
  size_t length = make(packet, source, destination, 65000);
  sendto(underlay, packet, length, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof *to);
}

/* Whatever arrives is a packet, and of somebody who may send it. @returns whether `last` was among what the device was given */
static bool look(int device, int underlay, uint32_t last) {
  Ip ip;
  bool is_there = false;
  for (ssize_t got; (got = recv(device, packet, sizeof packet, MSG_DONTWAIT)) >= 0; inward++) {
    require(got >= HEADER && read_ip(packet + HEADER, (size_t)got - HEADER, &ip) == PACKET_FINE, "the device is given packets");
    require(ip_sum_right(packet + HEADER, &ip), "with the right checksum");
    if (ip.source == OWN && ip.protocol == PROTOCOL_ICMP) continue;
    require(ip.destination >> 8 == OWN >> 8 && ip.source >> 8 == THERE >> 8, "for us, of a peer's subnet");
    is_there |= ip.protocol == LAST && memcmp(packet + HEADER + 20, &last, sizeof last) == 0;
  }
  for (ssize_t got; (got = recv(underlay, packet, sizeof packet, MSG_DONTWAIT)) >= 0; outward++) {
    require(read_ip(packet, (size_t)got, &ip) == PACKET_FINE, "peers are sent packets");
    require(ip.destination >> 8 == THERE >> 8, "of their subnet");
  }
  return is_there;
}

static void swap_peers(Forwarder *f) {
  uint32_t rows[3 * 50];
  size_t count = random32() % 50;
  for (size_t at = 0; at < count; at++) {
    rows[3 * at] = THERE + 256 * (1 + random32() % 64);
    rows[3 * at + 1] = 24 + random32() % 9;
    rows[3 * at + 2] = 0x7f010000 + random32() % 4;
  }
  if (count != 0 && random32() % 8 != 0) rows[0] = THERE, rows[1] = 24, rows[2] = THERE_AT;
  require(forwarder_set_peers(f, rows, count) == 0, "peers are swapped");
  double counts[FORWARD_COUNTS + PEER_COUNTS * 50];
  forwarder_counts(f, counts);
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Whoever has carried what before: what comes now arrives. */
static void require_last(Forwarder *f, int device, int underlay, const struct sockaddr_in *to) {
  static uint32_t last;
  uint8_t ip[PLAIN];
  double end = now_ms() + 10000;
  make_plain(ip, THERE, OWN, ++last);
  require(forwarder_set_peers(f, (uint32_t[]){THERE, 24, THERE_AT}, 1) == 0, "the peer is known");
  do {
    struct pollfd wait = {.fd = device, .events = POLLIN};
    (void)!sendto(underlay, ip, sizeof ip, 0, (const struct sockaddr *)to, sizeof *to);
    (void)poll(&wait, 1, 10);
    require(now_ms() < end, "somebody carries it");
  } while (!look(device, underlay, last));
}

static int bound(uint32_t address, uint16_t port) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  require(bind(fd, (struct sockaddr *)&here, sizeof here) == 0, "the port is free");
  return fd;
}

/* Little and much in turns: what comes in changes hands, over and over. */
static void take_turns(Forwarder *f, int device, int underlay, const struct sockaddr_in *to) {
  uint8_t to_peer[HEADER + PLAIN] = {0}, from_peer[PLAIN];
  make_plain(to_peer + HEADER, OWN, THERE, 0);
  make_plain(from_peer, THERE, OWN, 0);
  require(forwarder_set_peers(f, (uint32_t[]){THERE, 24, THERE_AT}, 1) == 0, "the peer is known");
  for (int turn = 0; turn < 200; turn++) {
    for (unsigned times = random32() % 40; times > 0; times--) (void)!send(device, to_peer, sizeof to_peer, MSG_DONTWAIT);
    for (unsigned times = random32() % 4; times > 0; times--)
      (void)!sendto(underlay, from_peer, sizeof from_peer, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof *to);
    look(device, underlay, 0);
    if (turn % 4 == 0) sched_yield();
  }
}

/* Of what goes nowhere too: whoever sends much of it does not keep from the host what comes in. */
static void require_parted(Forwarder *f, int device) {
  uint8_t one[HEADER + PLAIN] = {0};
  unsigned long before = parted;
  double end = now_ms() + 10000;
  require(forwarder_set_peers(f, NULL, 0) == 0, "nobody is known");
  make_plain(one + HEADER, OWN, THERE, 0);
  while (parted == before && !atomic_load(&f->is_apart)) {
    for (int times = 0; times < 32; times++) (void)send(device, one, sizeof one, MSG_DONTWAIT);
    sched_yield();
    require(now_ms() < end, "much is carried by both, wherever it goes");
  }
}

static void try_anything(Forwarder *f, int device, int underlay, int stranger, const struct sockaddr_in *to) {
  for (int turn = 0; turn < 200; turn++) {
    swap_peers(f);
    for (int times = 0; times < 8; times++) {
      from_containers(device);
      from_somebody(random32() % 8 == 0 ? stranger : underlay, to);
    }
    look(device, underlay, 0);
  }
}

static Forwarder *forwarder_on(int device) {
  Forwarder *f = calloc(1, sizeof *f);
  f->tun = device;
  f->socket = f->stop = f->events = f->joined = f->turn = -1;
  f->has_header = f->merges_udp = true;
  atomic_init(&f->merges, true);
  atomic_init(&f->peers, make_peers(NULL, 0, NULL));
  f->sides[OUTWARD].forwarder = f->sides[INWARD].forwarder = f;
  return f;
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  int pair[2];
  uint16_t port = (uint16_t)atoi(arguments[3]);
  state = strtoull(arguments[2], NULL, 10) | 1;
  require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0, "a pair of sockets");
  int underlay = bound(THERE_AT, port), stranger = bound(THERE_AT, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(HERE_AT)}};
  ForwarderSettings settings = {.address = HERE_AT, .port = port, .subnet = OWN, .subnet_length = 24, .mtu = 1472};
  Forwarder *f = driven = forwarder_on(pair[0]);
  double end = now_ms() + atof(arguments[1]);
  while (now_ms() < end) {
    require(forwarder_start(f, &settings) == 0, "it starts");
    require_parted(f, pair[1]);
    take_turns(f, pair[1], underlay, &to);
    try_anything(f, pair[1], underlay, stranger, &to);
    require_last(f, pair[1], underlay, &to);
    require(forwarder_failure(f) == 0, "it goes on");
    forwarder_stop(f);
  }
  forwarder_close(f);
  return printf("{\"outward\":%lu,\"inward\":%lu,\"parted\":%lu,\"woken\":%lu}\n", outward, inward, parted, woken) < 0;
}
