/*
 * Datagrams between two containers, as many as arrive. The sender has no more than a window of them on the way, of which it hears from the
 * receiver: what is measured is what the way between can carry, not how it drops.
 *
 *   packets serve PORT                            answers until its standard input ends
 *   packets flood ADDRESS PORT SIZE MILLISECONDS  datagrams that have arrived, per second; each was sent by itself
 *   packets runs ADDRESS PORT SIZE MILLISECONDS   the same; the sender hands them to the kernel in runs (UDP_SEGMENT, udp(7)), as QUIC does
 *   packets echo ADDRESS PORT SIZE COUNT          median and 99th percentile of round trips, in microseconds
 */
#define _GNU_SOURCE
#include "measuring.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { AT_ONCE = 32, TELL_EVERY = 32, LOST_MS = 50, MOST = 9000 };

/* What the first octet of a datagram is. */
enum { FLOOD = 'f', ECHO = 'e', BEGIN = 'b', END = 'z' };

static char room[AT_ONCE][MOST];
static struct iovec parts[AT_ONCE];
static struct mmsghdr messages[AT_ONCE];

static int open_socket(void) {
  int size = 4 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return fd;
}

static void set_up(size_t size) {
  for (int at = 0; at < AT_ONCE; at++) {
    parts[at] = (struct iovec){room[at], size};
    messages[at].msg_hdr = (struct msghdr){.msg_iov = &parts[at], .msg_iovlen = 1};
  }
}

static int serve(int port) {
  int fd = open_socket();
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}, from;
  uint64_t arrived = 0, told = 0;
  if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0) die("bind");
  puts("ready");
  fflush(stdout);
  set_up(MOST);
  messages[0].msg_hdr.msg_name = &from;
  for (;;) {
    struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    if (poll(waits, 2, -1) < 0) continue;
    if (waits[1].revents != 0) return 0;
    messages[0].msg_hdr.msg_namelen = sizeof from;
    int got = recvmmsg(fd, messages, AT_ONCE, MSG_DONTWAIT, NULL), ends = 0;
    for (int at = 0; at < got; at++) {
      char what = room[at][0];
      if (what == BEGIN) arrived = told = 0;
      if (what == ECHO) sendto(fd, room[at], messages[at].msg_len, 0, (struct sockaddr *)&from, sizeof from);
      if (what == FLOOD) arrived++;
      ends |= what == END || what == BEGIN;
    }
    if (got <= 0 || (!ends && arrived - told < TELL_EVERY)) continue;
    told = arrived;
    sendto(fd, &arrived, sizeof arrived, 0, (struct sockaddr *)&from, sizeof from);
  }
}

static int connect_to(const char *address, const char *port) {
  int fd = open_socket();
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  inet_pton(AF_INET, address, &to.sin_addr);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  return fd;
}

static int hear(int fd, int timeout_ms, uint64_t *arrived) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  int heard = 0;
  if (timeout_ms > 0 && poll(&wait, 1, timeout_ms) <= 0) return 0;
  while (recv(fd, arrived, sizeof *arrived, MSG_DONTWAIT) == sizeof *arrived) heard = 1;
  return heard;
}

/* Until it is answered. */
static uint64_t ask(int fd, char what) {
  uint64_t arrived = 0;
  for (int tries = 0; tries < 100; tries++) {
    send(fd, &what, 1, 0);
    if (hear(fd, LOST_MS, &arrived)) return arrived;
  }
  die("no answer");
  return 0;
}

/* So many as the kernel cuts of one; at most what one packet of IP holds. */
static void set_up_run(int fd, size_t size) {
  int segment = (int)size;
  size_t count = 65000 / size < AT_ONCE ? 65000 / size : AT_ONCE;
  for (size_t at = 0; at < count; at++) parts[at] = (struct iovec){room[at], size};
  messages[0].msg_hdr = (struct msghdr){.msg_iov = parts, .msg_iovlen = count};
  if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) < 0) die("UDP_SEGMENT");
}

static int flood(int fd, size_t size, double seconds, int in_runs) {
  uint64_t sent = 0, arrived = 0, lost = 0;
  int64_t window = size > 512 ? 96 : 256; /* of what a socket takes by default (net.core.rmem_max), which would be lost beyond it */
  set_up(size);
  for (int at = 0; at < AT_ONCE; at++) room[at][0] = FLOOD;
  ask(fd, BEGIN);
  if (in_runs) set_up_run(fd, size);
  double started = now();
  while (now() - started < seconds) {
    if ((int64_t)(sent - arrived - lost) <= window - AT_ONCE) {
      int out = sendmmsg(fd, messages, in_runs ? 1 : AT_ONCE, 0);
      if (out > 0) sent += in_runs ? messages[0].msg_hdr.msg_iovlen : (uint64_t)out;
      hear(fd, 0, &arrived);
    } else if (!hear(fd, LOST_MS, &arrived))
      lost = sent - arrived;
  }
  double took = now() - started;
  return printf("%.0f\n", (double)arrived / took) < 0;
}

static int echo(int fd, size_t size, size_t count) {
  double *times = room_for_times(count);
  for (size_t at = 0; at < count; at++) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    room[0][0] = ECHO;
    double started = now();
    send(fd, room[0], size, 0);
    if (poll(&wait, 1, 1000) > 0) (void)!recv(fd, room[1], MOST, 0);
    times[at] = (now() - started) * 1e6;
  }
  sort_times(times, count);
  return printf("%.2f %.2f\n", times[count / 2], times[count * 99 / 100]) < 0;
}

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[1], "serve") == 0) return serve(atoi(arguments[2]));
  if (count != 6) return 2;
  int fd = connect_to(arguments[2], arguments[3]);
  size_t size = (size_t)atol(arguments[4]);
  if (size == 0 || size > MOST) return 2;
  int in_runs = strcmp(arguments[1], "runs") == 0;
  if (in_runs || strcmp(arguments[1], "flood") == 0) return flood(fd, size, atof(arguments[5]) / 1e3, in_runs);
  return echo(fd, size, (size_t)atol(arguments[5]));
}
