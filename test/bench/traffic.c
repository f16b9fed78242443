/*
 * traffic serve PORT               serves whoever comes, until its standard input ends
 * traffic stream ADDRESS PORT MS   sends for so long, and prints bits per second that have arrived
 * traffic echo ADDRESS PORT COUNT  sends one byte and waits for it to come back, so often; prints the median in microseconds
 */
#include "measuring.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char piece[1 << 17];

static void all(ssize_t (*move)(int, char *, size_t), int fd, char *data, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t moved = move(fd, data + at, length - at);
    if (moved <= 0) die("connection");
    at += (size_t)moved;
  }
}

static ssize_t give(int fd, char *data, size_t length) { return send(fd, data, length, MSG_NOSIGNAL); }
static ssize_t take(int fd, char *data, size_t length) { return recv(fd, data, length, 0); }

/* The first byte says what is wanted: a stream is read to its end and its length told, anything else comes back as it is. */
static void attend(int fd) {
  char wanted;
  uint64_t bytes = 0;
  all(take, fd, &wanted, 1);
  for (ssize_t got; (got = recv(fd, piece, wanted == 's' ? sizeof piece : 1, 0)) > 0; bytes += (uint64_t)got)
    if (wanted != 's') all(give, fd, piece, (size_t)got);
  if (wanted == 's') all(give, fd, (char *)&bytes, sizeof bytes);
  exit(0);
}

static int serve(int port) {
  int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  signal(SIGCHLD, SIG_IGN);
  if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) < 0 || listen(fd, 16) < 0) die("listen");
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    if (poll(waits, 2, -1) < 0) continue;
    if (waits[1].revents != 0) return 0;
    int client = accept(fd, NULL, NULL);
    if (client < 0) continue;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (fork() == 0) attend(client);
    close(client);
  }
}

static int open_connection(const char *address, const char *port, char wanted) {
  int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  inet_pton(AF_INET, address, &to.sin_addr);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  all(give, fd, &wanted, 1);
  return fd;
}

static int stream(int fd, double seconds) {
  uint64_t arrived;
  double started = now();
  while (now() - started < seconds) all(give, fd, piece, sizeof piece);
  shutdown(fd, SHUT_WR);
  all(take, fd, (char *)&arrived, sizeof arrived);
  return printf("%.0f\n", (double)arrived * 8 / (now() - started)) < 0;
}

static int echo(int fd, size_t count) {
  double *times = room_for_times(count);
  for (size_t at = 0; at < count; at++) {
    double started = now();
    all(give, fd, piece, 1);
    all(take, fd, piece, 1);
    times[at] = (now() - started) * 1e6;
  }
  sort_times(times, count);
  return printf("%.2f\n", times[count / 2]) < 0;
}

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[1], "serve") == 0) return serve(atoi(arguments[2]));
  if (count != 5) return 2;
  int is_stream = strcmp(arguments[1], "stream") == 0;
  int fd = open_connection(arguments[2], arguments[3], is_stream ? 's' : 'e');
  return is_stream ? stream(fd, atof(arguments[4]) / 1e3) : echo(fd, (size_t)atol(arguments[4]));
}
