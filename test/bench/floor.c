/*
 * floor FILE BATCH: sends the netlink requests in FILE as fast as one socket takes them, BATCH at a time with an acknowledgement of the
 * last one, and prints the milliseconds that took, by the clock and on the processor. What the kernel itself needs is nearly all of it: nothing is encoded or decoded.
 */
#include "messages.h"

int main(int argc, char **argv) {
  size_t size;
  if (argc != 3) return 2;
  uint8_t *bytes = read_messages(argv[1], &size);
  long most = atol(argv[2]);
  double started = now_ms(), processor = processor_ms();
  int fd = open_route_socket();
  for (size_t from = 0, to = 0; from < size; from = to) {
    struct nlmsghdr *last = NULL;
    for (long count = 0; count < most && to < size; count++) {
      last = (struct nlmsghdr *)(bytes + to);
      to += NLMSG_ALIGN(last->nlmsg_len);
    }
    if (last == NULL) return 2;
    last->nlmsg_flags |= NLM_F_ACK;
    if (send(fd, bytes + from, to - from, 0) < 0) fail("send");
    await_answer(fd, last->nlmsg_seq);
  }
  return report(started, processor);
}
