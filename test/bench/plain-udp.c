/*
 * What an overlay over UDP costs that is made in the plainest way: one thread, one packet a system call, peers in a list that is searched
 * from its beginning. It is what the forwarder of the udp backend is held against.
 *
 *   plain-udp DEVICE ADDRESS PORT MTU   reads peers, lines of SUBNET LENGTH ADDRESS with a line "." behind them, says "ready", and
 *                                       forwards until its standard input ends
 */
#define _GNU_SOURCE
#include "measuring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  uint32_t subnet, mask;
  struct sockaddr_in to;
} Route;

static Route routes[65536];
static size_t count;
static int port;
static uint8_t packet[65536];

static const Route *find(uint32_t address) {
  for (size_t at = 0; at < count; at++) {
    if ((address & routes[at].mask) != routes[at].subnet) continue;
    return &routes[at];
  }
  return NULL;
}

/* One less, and the checksum of the header made good (RFC 1141). 0: its time is over. */
static int lower(void) {
  if (packet[8] <= 1) return 0;
  uint32_t sum = ((uint32_t)packet[10] << 8 | packet[11]) + 0x100;
  sum += sum >> 16;
  packet[8]--;
  packet[10] = (uint8_t)(sum >> 8);
  packet[11] = (uint8_t)sum;
  return 1;
}

static int outward(int tun, int fd, size_t mtu) {
  ssize_t length = read(tun, packet, mtu);
  if (length < 0) return 0;
  if (length < 20 || packet[0] >> 4 != 4) return 1;
  uint32_t destination;
  memcpy(&destination, packet + 16, 4);
  const Route *route = find(destination);
  if (route != NULL && lower())
    sendto(fd, packet, (size_t)length, 0, (const struct sockaddr *)&route->to, sizeof route->to);
  return 1;
}

static int inward(int fd, int tun, size_t mtu) {
  ssize_t length = recv(fd, packet, mtu, 0);
  if (length < 0) return 0;
  if (length >= 20 && lower()) (void)!write(tun, packet, (size_t)length);
  return 1;
}

static void read_peers(void) {
  char line[128], subnet[32], address[32];
  unsigned length;
  while (fgets(line, sizeof line, stdin) != NULL && line[0] != '.') {
    Route *route = &routes[count];
    if (sscanf(line, "%31s %u %31s", subnet, &length, address) != 3 || count == 65536) die("peers");
    route->mask = htonl(length == 0 ? 0 : UINT32_MAX << (32 - length));
    route->subnet = inet_addr(subnet) & route->mask;
    route->to = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {inet_addr(address)}};
    count++;
  }
}

static int open_tun(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) die("/dev/net/tun");
  return fd;
}

static int open_socket(const char *address) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in here = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {inet_addr(address)}};
  if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) < 0) die("socket");
  return fd;
}

int main(int arguments, char **argument) {
  if (arguments != 5) return 2;
  port = atoi(argument[3]);
  size_t mtu = (size_t)atol(argument[4]);
  int tun = open_tun(argument[1]), fd = open_socket(argument[2]);
  read_peers();
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd waits[] = {
        {.fd = tun, .events = POLLIN}, {.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    if (poll(waits, 3, -1) < 0) continue;
    if (waits[2].revents != 0) return 0;
    while (outward(tun, fd, mtu) + inward(fd, tun, mtu) != 0);
  }
}
