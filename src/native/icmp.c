/*
 * Sockets that send and hear ICMP or ICMPv6, or frames of one kind: the calls alone, what is said is src/probe's business. Nothing here
 * waits. System errors come back as negative errno; wrong arguments throw.
 */
#include "socket.h"

#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Not all C libraries have them (linux/in6.h, asm-generic/socket.h). */
#ifndef IPV6_DONTFRAG
#define IPV6_DONTFRAG 62
#endif
#ifndef SO_TIMESTAMPNS
#define SO_TIMESTAMPNS 35
#endif
#ifndef SCM_TIMESTAMPNS
#define SCM_TIMESTAMPNS SO_TIMESTAMPNS
#endif

/* As far as packets are looked at, in octets; what follows is left in the kernel. */
#define KEPT 128
#define AT_ONCE 32

/*
 * How a packet is handed over, in the machine's byte order. Of a packet: who sent it. Of an error (errno is not 0): where what it is
 * about was sent to, and who says so.
 */
typedef struct {
  uint32_t length; /* of the whole packet, as far as the socket shows it */
  uint32_t kept;   /* octets of `data` */
  int32_t error;   /* ee_errno */
  uint32_t info;   /* ee_info: the MTU with EMSGSIZE */
  uint8_t origin, type, code, reserved[5];
  double micros; /* when it came in, on the wall clock */
  uint8_t address[16];
  uint8_t offender[16];
  uint8_t data[KEPT];
} Packet;

static bool set_number(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/*
 * Every packet leaves whole or not at all (…_PMTUDISC_PROBE: up to the device's MTU, whatever was learnt of the path); what routers and this
 * host say against it can be read (…_RECVERR); when packets came in is noted by the kernel.
 */
static bool prepare(int fd, int family) {
  bool told = set_number(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (family == 4)
    return told && set_number(fd, IPPROTO_IP, IP_RECVERR, 1) && set_number(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  return told && set_number(fd, IPPROTO_IPV6, IPV6_RECVERR, 1) &&
         set_number(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE) &&
         set_number(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
}

/* openIcmp(family, isRaw): socket | -errno. Of two kinds (raw(7), icmp(7)): only a raw one hears what others ask. */
napi_value open_icmp(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value argv[2];
  int32_t family;
  bool is_raw;
  if (napi_get_cb_info(env, info, &count, argv, NULL, NULL) != napi_ok || count < 2 ||
      napi_get_value_int32(env, argv[0], &family) != napi_ok || napi_get_value_bool(env, argv[1], &is_raw) != napi_ok)
    return type_error(env, "family is a number, isRaw a boolean");
  int type = (is_raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  int fd = family == 4 ? socket(AF_INET, type, IPPROTO_ICMP) : socket(AF_INET6, type, IPPROTO_ICMPV6);
  if (fd < 0) return integer(env, -errno);
  if (!prepare(fd, family)) {
    int error = errno;
    close(fd);
    return integer(env, -error);
  }
  return adopt(env, fd);
}

/*
 * openPacket(protocol, ifIndex): socket | -errno. Frames of one EtherType on one interface, with their headers (packet(7)); `send` sends them.
 * For whoever asks what no ICMP says, such as who has an address (ARP).
 */
napi_value open_packet(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value argv[2];
  int32_t protocol, index;
  if (napi_get_cb_info(env, info, &count, argv, NULL, NULL) != napi_ok || count < 2 ||
      napi_get_value_int32(env, argv[0], &protocol) != napi_ok || napi_get_value_int32(env, argv[1], &index) != napi_ok)
    return type_error(env, "protocol and interface are numbers");
  struct sockaddr_ll on = {.sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = index};
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return integer(env, -errno);
  if (!set_number(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) || bind(fd, (struct sockaddr *)&on, sizeof on) < 0) {
    int error = errno;
    close(fd);
    return integer(env, -error);
  }
  return adopt(env, fd);
}

static double micros_of(const struct timespec *time) { return (double)time->tv_sec * 1e6 + (double)time->tv_nsec / 1e3; }

/* Room for the one control message with which a packet is sent, and as it must be aligned. */
typedef union {
  struct cmsghdr header;
  uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
} SendControl;

static size_t put_control(struct msghdr *message, int level, int type, const void *data, size_t length) {
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(length);
  memcpy(CMSG_DATA(header), data, length);
  return CMSG_SPACE(length);
}

/*
 * sendIcmp(socket, bytes, to, from, ifIndex): when it was sent, in microseconds on the wall clock, | -errno. Addresses have 4 or 16
 * octets, and as many both; `from` is empty, and `ifIndex` 0, where routes are to say.
 */
napi_value send_icmp(napi_env env, napi_callback_info info) {
  napi_value argv[5], result;
  Socket *s = open_socket_of(env, info, 5, argv);
  uint8_t *bytes, *to, *from;
  size_t size, to_length, from_length;
  int32_t index;
  if (s == NULL) return NULL;
  if (!take_bytes(env, argv[1], &bytes, &size) || !take_bytes(env, argv[2], &to, &to_length) ||
      !take_bytes(env, argv[3], &from, &from_length) || napi_get_value_int32(env, argv[4], &index) != napi_ok)
    return type_error(env, "packet and addresses are Uint8Arrays, the interface is a number");
  if ((to_length != 4 && to_length != 16) || (from_length != 0 && from_length != to_length))
    return type_error(env, "an address has 4 or 16 octets, and both are of one family");

  struct sockaddr_in to4 = {.sin_family = AF_INET};
  struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
  struct iovec packet = {.iov_base = bytes, .iov_len = size};
  SendControl control = {0};
  struct msghdr message = {.msg_iov = &packet, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (to_length == 4) {
    struct in_pktinfo how = {.ipi_ifindex = index};
    memcpy(&to4.sin_addr, to, 4);
    if (from_length != 0) memcpy(&how.ipi_spec_dst, from, 4);
    message.msg_name = &to4;
    message.msg_namelen = sizeof to4;
    message.msg_controllen = put_control(&message, IPPROTO_IP, IP_PKTINFO, &how, sizeof how);
  } else {
    struct in6_pktinfo how = {.ipi6_ifindex = (unsigned)index};
    memcpy(&to6.sin6_addr, to, 16);
    if (from_length != 0) memcpy(&how.ipi6_addr, from, 16);
    message.msg_name = &to6;
    message.msg_namelen = sizeof to6;
    message.msg_controllen = put_control(&message, IPPROTO_IPV6, IPV6_PKTINFO, &how, sizeof how);
  }
  /* What is wrong with a packet of before is told to the next one that is sent, which is then not sent: so twice. */
  struct timespec now;
  ssize_t sent = -1;
  for (int attempt = 0; attempt < 2 && sent < 0; attempt++) {
    clock_gettime(CLOCK_REALTIME, &now);
    do sent = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
  }
  napi_create_double(env, sent < 0 ? (double)-errno : micros_of(&now), &result);
  return result;
}

/* Room for the control messages of one packet: its time; of an error, what is wrong and who says so. */
typedef union {
  struct cmsghdr header;
  uint8_t bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6)) + 64];
} ReceiveControl;

static void take_address(uint8_t *into, const struct sockaddr *address) {
  if (address->sa_family == AF_INET) memcpy(into, &((const struct sockaddr_in *)address)->sin_addr, 4);
  if (address->sa_family == AF_INET6) memcpy(into, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
}

static void take_controls(Packet *packet, struct msghdr *message) {
  struct timespec time;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      memcpy(&time, CMSG_DATA(c), sizeof time);
      packet->micros = micros_of(&time);
    } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
               (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
      struct sock_extended_err *error = (struct sock_extended_err *)CMSG_DATA(c);
      packet->error = (int32_t)error->ee_errno;
      packet->info = error->ee_info;
      packet->origin = error->ee_origin;
      packet->type = error->ee_type;
      packet->code = error->ee_code;
      take_address(packet->offender, SO_EE_OFFENDER(error));
    }
  }
}

/*
 * receivePackets(socket, bytes, errors): how many packets, or errors, it has put into `bytes`, as many as find room there, | -errno; 0
 * when there are none.
 */
napi_value receive_packets(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  Socket *s = open_socket_of(env, info, 3, argv);
  uint8_t *bytes;
  size_t size;
  bool errors;
  if (s == NULL) return NULL;
  if (!take_bytes(env, argv[1], &bytes, &size) || napi_get_value_bool(env, argv[2], &errors) != napi_ok)
    return type_error(env, "where to receive is a Uint8Array, errors a boolean");

  Packet packets[AT_ONCE] = {0};
  struct mmsghdr messages[AT_ONCE] = {0};
  struct iovec data[AT_ONCE];
  struct sockaddr_in6 names[AT_ONCE] = {0};
  ReceiveControl controls[AT_ONCE];
  size_t most = size / sizeof(Packet) < AT_ONCE ? size / sizeof(Packet) : AT_ONCE;
  for (size_t i = 0; i < most; i++) {
    data[i] = (struct iovec){.iov_base = packets[i].data, .iov_len = KEPT};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
                                          .msg_namelen = sizeof names[i],
                                          .msg_iov = &data[i],
                                          .msg_iovlen = 1,
                                          .msg_control = &controls[i],
                                          .msg_controllen = sizeof controls[i]};
  }
  int count;
  do count = recvmmsg(s->fd, messages, (unsigned)most, MSG_DONTWAIT | MSG_TRUNC | (errors ? MSG_ERRQUEUE : 0), NULL);
  while (count < 0 && errno == EINTR);
  if (count < 0) return integer(env, errno == EAGAIN ? 0 : -errno);
  for (int i = 0; i < count; i++) {
    packets[i].length = messages[i].msg_len;
    packets[i].kept = messages[i].msg_len < KEPT ? messages[i].msg_len : KEPT;
    take_address(packets[i].address, (struct sockaddr *)&names[i]);
    take_controls(&packets[i], &messages[i].msg_hdr);
  }
  memcpy(bytes, packets, (size_t)count * sizeof *packets);
  return integer(env, count);
}
