/*
 * sequential FILE: sends the netlink requests in FILE one at a time, each on a socket of its own and with an acknowledgement that is
 * waited for, and prints the milliseconds that took, by the clock and on the processor.
 */
#include "messages.h"

int main(int argc, char **argv) {
  size_t size;
  if (argc != 2) return 2;
  uint8_t *bytes = read_messages(argv[1], &size);
  double started = now_ms(), processor = processor_ms();
  for (size_t at = 0; at < size;) {
    struct nlmsghdr *one = (struct nlmsghdr *)(bytes + at);
    int fd = open_route_socket();
    one->nlmsg_flags |= NLM_F_ACK;
    if (send(fd, one, one->nlmsg_len, 0) < 0) fail("send");
    await_answer(fd, one->nlmsg_seq);
    close(fd);
    at += NLMSG_ALIGN(one->nlmsg_len);
  }
  return report(started, processor);
}
