/* Netlink requests out of a file, one behind the other as they are sent, and how answers to them are read. */
#ifndef BENCH_MESSAGES_H
#define BENCH_MESSAGES_H
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

/* The bytes of the whole file, which has to be there and not empty. */
static uint8_t *read_messages(const char *path, size_t *size) {
  struct stat about;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &about) < 0 || about.st_size == 0) fail(path);
  uint8_t *bytes = malloc((size_t)about.st_size);
  if (bytes == NULL) fail("malloc");
  for (*size = 0; *size < (size_t)about.st_size;) {
    ssize_t got = read(fd, bytes + *size, (size_t)about.st_size - *size);
    if (got <= 0) fail(path);
    *size += (size_t)got;
  }
  close(fd);
  return bytes;
}

static int open_route_socket(void) {
  struct sockaddr_nl any = {.nl_family = AF_NETLINK};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) < 0) fail("socket");
  return fd;
}

/* Reads answers until that of `sequence`, the last one sent. Every refusal ends the program. */
static void await_answer(int fd, uint32_t sequence) {
  static uint8_t answer[65536] __attribute__((aligned(4)));
  for (;;) {
    ssize_t got = recv(fd, answer, sizeof answer, 0);
    if (got < 0) fail("recv");
    for (struct nlmsghdr *one = (struct nlmsghdr *)answer; NLMSG_OK(one, got); one = NLMSG_NEXT(one, got)) {
      if (one->nlmsg_type != NLMSG_ERROR) continue;
      errno = -((struct nlmsgerr *)NLMSG_DATA(one))->error;
      if (errno != 0) fail("a message was refused");
      if (one->nlmsg_seq == sequence) return;
    }
  }
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Processor time of this process in milliseconds, in the kernel too. */
static double processor_ms(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

/* Two numbers in milliseconds: what has passed since `started` and `processor`, by the clock and on the processor. */
static int report(double started, double processor) {
  return printf("%.3f %.3f\n", now_ms() - started, processor_ms() - processor) < 0;
}
#endif
