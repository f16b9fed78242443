#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Not all headers have them (linux/udp.h, linux/if_tun.h). */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { BUFFER = 8 << 20, SILENCE_MS = 20, COMPLAINTS_BURST = 100, COMPLAINTS_A_SECOND = 1000 };

/* Asks for as much as this kernel gives; a device may have what another process has asked of it before. */
static void ask_for_offloads(Forwarder *f) {
  unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN, udp = TUN_F_USO4 | TUN_F_USO6;
  f->merges_udp = f->has_header && ioctl(f->tun, TUNSETOFFLOAD, tcp | udp) == 0;
  bool merges = f->merges_udp || (f->has_header && ioctl(f->tun, TUNSETOFFLOAD, tcp) == 0);
  if (!merges) (void)ioctl(f->tun, TUNSETOFFLOAD, 0);
  atomic_init(&f->merges, merges);
}

static int make_device(Forwarder *f, const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  unsigned features = 0;
  if (strlen(name) >= IFNAMSIZ) return -ENAMETOOLONG;
  strcpy(request.ifr_name, name);
  f->tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (f->tun < 0 || ioctl(f->tun, TUNGETFEATURES, &features) < 0) return -errno;
  f->has_header = !f->is_plain && (features & IFF_VNET_HDR) != 0;
  if (f->has_header) request.ifr_flags |= IFF_VNET_HDR;
  if (ioctl(f->tun, TUNSETIFF, &request) < 0) return -errno;
  int header = 10; /* struct virtio_net_hdr */
  if (f->has_header && ioctl(f->tun, TUNSETVNETHDRSZ, &header) < 0) return -errno;
  memcpy(f->name, request.ifr_name, IFNAMSIZ);
  ask_for_offloads(f);
  return 0;
}

int forwarder_open(const char *name, bool is_plain, Forwarder **made) {
  Forwarder *f = calloc(1, sizeof *f);
  if (f == NULL) return -ENOMEM;
  f->tun = f->socket = f->stop = f->events = f->joined = f->turn = -1;
  f->is_plain = is_plain;
  f->sides[OUTWARD].forwarder = f->sides[INWARD].forwarder = f;
  PeerTable *nobody = make_peers(NULL, 0, NULL);
  atomic_init(&f->peers, nobody);
  int error = nobody == NULL ? -ENOMEM : make_device(f, name);
  if (error == 0) *made = f;
  else forwarder_close(f);
  return error;
}

const char *forwarder_name(const Forwarder *f) { return f->name; }

/* Without an outer "don't fragment": where the path is narrower than the underlay, datagrams get through in pieces. */
static int open_socket(Forwarder *f) {
  int no_discovery = IP_PMTUDISC_DONT, on = 1, off = 0, size = BUFFER;
  struct timeval silence = {.tv_usec = SILENCE_MS * 1000};
  struct sockaddr_in here = place_of(f, f->settings.address);
  int fd = f->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &no_discovery, sizeof no_discovery) < 0) return -errno;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) < 0) return -errno;
  for (int which = 0; which < 2; which++)
    if (setsockopt(fd, SOL_SOCKET, which == 0 ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, &size, sizeof size) < 0)
      (void)setsockopt(fd, SOL_SOCKET, which == 0 ? SO_RCVBUF : SO_SNDBUF, &size, sizeof size);
  f->receives_many = !f->is_plain && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
  atomic_store(&f->sends_many, !f->is_plain && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof off) == 0);
  return bind(fd, (struct sockaddr *)&here, sizeof here) < 0 ? -errno : 0;
}

/* What both threads wait for, and hand each other. */
static int open_turns(Forwarder *f) {
  f->inward = make_inward(&f->sides[INWARD]);
  if (f->inward == NULL) return -ENOMEM;
  f->events = epoll_create1(EPOLL_CLOEXEC);
  f->turn = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  f->joined = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (f->events < 0 || f->turn < 0 || f->joined < 0) return -errno;
  atomic_store(&f->is_apart, false);
  int waits[] = {f->stop, f->joined, f->tun, f->socket};
  for (int at = 0; at < 4; at++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = waits[at]};
    if (epoll_ctl(f->events, EPOLL_CTL_ADD, waits[at], &event) < 0) return -errno;
  }
  return 0;
}

/* Signals are Node's to take. */
static int start_threads(Forwarder *f) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  int error = uv_thread_create(&f->sides[OUTWARD].id, run_outward, &f->sides[OUTWARD]);
  if (error == 0 && (error = uv_thread_create(&f->sides[INWARD].id, run_inward, &f->sides[INWARD])) != 0) {
    fail(&f->sides[OUTWARD], -error);
    uv_thread_join(&f->sides[OUTWARD].id);
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  return error;
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* All but the device. */
static void close_rest(Forwarder *f) {
  close_fd(&f->events);
  close_fd(&f->joined);
  close_fd(&f->turn);
  close_fd(&f->socket);
  close_fd(&f->stop);
  free(f->inward);
  f->inward = NULL;
}

int forwarder_start(Forwarder *f, const ForwarderSettings *settings) {
  if (f->is_running) return -EALREADY;
  f->settings = *settings;
  atomic_store(&f->mtu, settings->mtu);
  atomic_store(&f->failure, 0);
  atomic_store(&f->ends, false);
  f->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int error = f->stop < 0 ? -errno : open_socket(f);
  if (error == 0) error = open_turns(f);
  if (error == 0) error = start_threads(f);
  f->is_running = error == 0;
  if (error != 0) close_rest(f);
  return error;
}

void forwarder_set_mtu(Forwarder *f, uint32_t mtu) { atomic_store(&f->mtu, mtu); }

/*
 * A reader notes which table it takes, and looks whether it still is the one: whoever frees one has swapped it before looking at the notes.
 * Both in one order for all threads (seq_cst), so that one of the two sees the other (hazard pointers).
 */
const PeerTable *hold_peers(Side *side) {
  PeerTable *table, *taken = atomic_load(&side->forwarder->peers);
  do {
    table = taken;
    atomic_store(&side->reads, table);
    taken = atomic_load(&side->forwarder->peers);
  } while (table != taken);
  return table;
}

void release_peers(Side *side) { atomic_store_explicit(&side->reads, NULL, memory_order_release); }

static bool is_read(Forwarder *f, const PeerTable *table) {
  return atomic_load(&f->sides[OUTWARD].reads) == table || atomic_load(&f->sides[INWARD].reads) == table;
}

/* In the order in which they were swapped out: a table that is still read has counts in common with later ones. */
static void free_retired(Forwarder *f) {
  while (f->retired != NULL && !is_read(f, f->retired)) {
    PeerTable *next = f->retired->later;
    free_peers(f->retired);
    f->retired = next;
  }
}

static void retire(Forwarder *f, PeerTable *table) {
  PeerTable **end = &f->retired;
  while (*end != NULL) end = &(*end)->later;
  *end = table;
  free_retired(f);
}

int forwarder_set_peers(Forwarder *f, const uint32_t *rows, size_t count) {
  PeerTable *before = atomic_load(&f->peers), *table = make_peers(rows, count, before);
  if (table == NULL) return -ENOMEM;
  atomic_store(&f->peers, table);
  retire(f, before);
  return 0;
}

size_t forwarder_peers(const Forwarder *f) { return atomic_load(&f->peers)->count; }

static double read_count(const _Atomic uint64_t *counter) {
  return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

void forwarder_counts(const Forwarder *f, double *counts) {
  for (size_t at = 0; at < FORWARD_COUNTS; at++)
    *counts++ = read_count(&f->sides[OUTWARD].counts[at]) + read_count(&f->sides[INWARD].counts[at]);
  const PeerTable *peers = atomic_load(&f->peers);
  for (size_t at = 0; at < peers->count; at++) {
    const PeerCounts *of = peers->peers[at].counts;
    *counts++ = read_count(&of->sent);
    *counts++ = read_count(&of->sent_octets);
    *counts++ = read_count(&of->received);
    *counts++ = read_count(&of->received_octets);
    *counts++ = read_count(&of->refused);
  }
}

int forwarder_failure(const Forwarder *f) { return atomic_load(&f->failure); }

bool wait_for(Side *side, int fd, short events, int timeout_ms) {
  struct pollfd waits[] = {{.fd = fd, .events = events}, {.fd = side->forwarder->stop, .events = POLLIN}};
  (void)poll(waits, 2, timeout_ms);
  return waits[1].revents == 0;
}

static void end_threads(Forwarder *f) {
  atomic_store(&f->ends, true);
  uint64_t one = 1;
  (void)!write(f->stop, &one, sizeof one);
  (void)shutdown(f->socket, SHUT_RDWR); /* wakes who waits there, though it says that nobody is connected */
}

void fail(Side *side, int error) {
  atomic_store(&side->forwarder->failure, error);
  end_threads(side->forwarder);
}

bool may_complain(Side *side) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
  uint64_t most = COMPLAINTS_BURST * 1000, gained = (now_ms - side->credited_ms) * COMPLAINTS_A_SECOND;
  side->credit = gained > most - side->credit ? most : side->credit + gained;
  side->credited_ms = now_ms;
  if (side->credit < 1000) return false;
  side->credit -= 1000;
  return true;
}

void forwarder_stop(Forwarder *f) {
  if (!f->is_running) return;
  end_threads(f);
  uv_thread_join(&f->sides[OUTWARD].id);
  uv_thread_join(&f->sides[INWARD].id);
  f->is_running = false;
  close_rest(f);
}

void forwarder_close(Forwarder *f) {
  forwarder_stop(f);
  close_fd(&f->tun);
  free_retired(f);
  free_peers(atomic_load(&f->peers));
  free(f);
}
