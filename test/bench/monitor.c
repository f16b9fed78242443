/*
 * Says of every change of links, addresses, IPv4 routes, neighbours and forwarding entries when it was read, on the monotonic clock:
 *
 *   NANOSECONDS + route 10.0.5.0/24
 *   NANOSECONDS - neighbour 10.0.5.0 82:02:00:00:00:05
 *
 * With the argument "quiet" one line after each burst, once nothing has come for 100 ms: when the last change was read, how many there
 * were, and how often the socket has overflowed: "NANOSECONDS COUNT OVERFLOWS". Runs until its standard input ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 100

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int open_monitor(void) {
  static const int groups[] = {RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE};
  int room = 64 << 20;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  struct sockaddr_nl any = {.nl_family = AF_NETLINK};
  if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) < 0) die("socket");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  for (size_t at = 0; at < sizeof groups / sizeof *groups; at++)
    if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[at], sizeof groups[at]) < 0) die("join");
  return fd;
}

static const struct rtattr *attribute(const struct nlmsghdr *message, size_t header, int type) {
  const struct rtattr *each = (const void *)((const char *)NLMSG_DATA(message) + NLMSG_ALIGN(header));
  int left = (int)(message->nlmsg_len - NLMSG_SPACE(header));
  for (; RTA_OK(each, left); each = RTA_NEXT(each, left))
    if (each->rta_type == type) return each;
  return NULL;
}

static const char *address_text(const struct rtattr *attribute, char *text) {
  strcpy(text, "-");
  if (attribute != NULL && RTA_PAYLOAD(attribute) == 4) inet_ntop(AF_INET, RTA_DATA(attribute), text, INET_ADDRSTRLEN);
  return text;
}

static const char *mac_text(const struct rtattr *attribute, char *text) {
  strcpy(text, "-");
  if (attribute != NULL && RTA_PAYLOAD(attribute) == 6) {
    const uint8_t *mac = RTA_DATA(attribute);
    sprintf(text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  }
  return text;
}

static void say(const struct nlmsghdr *message, long long time) {
  char address[INET_ADDRSTRLEN], mac[18];
  switch (message->nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const struct rtmsg *route = NLMSG_DATA(message);
      address_text(attribute(message, sizeof *route, RTA_DST), address);
      printf("%lld %c route %s/%d\n", time, message->nlmsg_type == RTM_NEWROUTE ? '+' : '-', address, route->rtm_dst_len);
      return;
    }
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH: {
      const struct ndmsg *entry = NLMSG_DATA(message);
      const char *kind = entry->ndm_family == AF_BRIDGE ? "fdb" : "neighbour";
      address_text(attribute(message, sizeof *entry, NDA_DST), address);
      mac_text(attribute(message, sizeof *entry, NDA_LLADDR), mac);
      printf("%lld %c %s %s %s\n", time, message->nlmsg_type == RTM_NEWNEIGH ? '+' : '-', kind, address, mac);
      return;
    }
    default:
      printf("%lld %c link -\n", time, message->nlmsg_type == RTM_DELLINK || message->nlmsg_type == RTM_DELADDR ? '-' : '+');
  }
}

/* Reads all that there is. Gives how many changes that were; negative: some were lost. */
static int read_all(int fd, int quiet) {
  static char bytes[1 << 20];
  int changes = 0;
  for (;;) {
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && errno == ENOBUFS) return -1;
    if (got < 0) return changes;
    long long time = now();
    int left = (int)got;
    for (struct nlmsghdr *each = (void *)bytes; NLMSG_OK(each, left); each = NLMSG_NEXT(each, left)) {
      changes++;
      if (!quiet) say(each, time);
    }
    if (!quiet) fflush(stdout);
  }
}

int main(int count, char **arguments) {
  int quiet = count > 1 && strcmp(arguments[1], "quiet") == 0;
  int fd = open_monitor();
  long long last = 0, changes = 0, overflows = 0;
  struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  puts("ready");
  fflush(stdout);
  for (;;) {
    int ready = poll(waits, 2, last != 0 ? QUIET_MS : -1);
    if (ready < 0 && errno != EINTR) die("poll");
    if (waits[1].revents != 0) return 0;
    if (ready == 0) {
      printf("%lld %lld %lld\n", last, changes, overflows);
      fflush(stdout);
      last = changes = overflows = 0;
      continue;
    }
    int read = read_all(fd, quiet);
    if (!quiet && read >= 0) continue;
    if (!quiet) fputs("overflow\n", stdout), fflush(stdout);
    if (!quiet) continue;
    last = now();
    if (read < 0) overflows++;
    else changes += read;
  }
}
