/*
 * A netlink socket for Node: open, options, send, receive, poll, close. Knows nothing of the messages; every byte of the
 * protocol is src/netlink's business. System errors come back as negative errno; wrong arguments and use after close throw.
 * ICMP's socket (icmp.c) and the data path of the udp backend (udp/) are made by the same rules. Beside them what else Node has no call
 * for: an exit that waits for nobody, a datagram to a Unix socket, whose process listens at one, and one that is listened at without
 * anybody being answered.
 */
#include "socket.h"

#include <linux/netlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const napi_type_tag SOCKET_TAG = {0x9b1f3ac8d2e64b05, 0xa7c04e5d18f2963b};

napi_value integer(napi_env env, int64_t value) {
  napi_value result = NULL;
  napi_create_int64(env, value, &result);
  return result;
}

napi_value type_error(napi_env env, const char *message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return NULL;
}

static void drop_reference(Socket *s, napi_ref *reference) {
  if (*reference != NULL) napi_delete_reference(s->env, *reference);
  *reference = NULL;
}

static void on_released(uv_handle_t *handle) {
  Socket *s = handle->data;
  s->released = true;
  if (s->hook != NULL) napi_remove_async_cleanup_hook(s->hook);
  s->hook = NULL;
  if (s->collected) free(s);
}

static void close_socket(Socket *s) {
  if (s->fd < 0) return;
  uv_poll_stop(&s->poll);
  drop_reference(s, &s->callback);
  drop_reference(s, &s->self);
  close(s->fd);
  s->fd = -1;
  uv_close((uv_handle_t *)&s->poll, on_released);
}

static void on_environment_exit(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  close_socket(data);
}

static void on_collected(napi_env env, void *data, void *hint) {
  Socket *s = data;
  (void)env, (void)hint;
  s->collected = true;
  if (s->released) free(s);
  else close_socket(s);
}

/* Takes the arguments; argument 0 has to be a socket of ours. NULL (and an exception) if it is not. */
static Socket *any_socket(napi_env env, napi_callback_info info, size_t count, napi_value *argv) {
  bool ours = false;
  void *s = NULL;
  napi_valuetype type = napi_undefined;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  napi_typeof(env, argv[0], &type);
  if (type == napi_external) napi_check_object_type_tag(env, argv[0], &SOCKET_TAG, &ours);
  if (!ours || napi_get_value_external(env, argv[0], &s) != napi_ok)
    type_error(env, "argument 1 is not a netlink socket");
  return s;
}

Socket *open_socket_of(napi_env env, napi_callback_info info, size_t count, napi_value *argv) {
  Socket *s = any_socket(env, info, count, argv);
  if (s == NULL || s->fd >= 0) return s;
  napi_throw_error(env, "ERR_SOCKET_CLOSED", "the netlink socket is closed");
  return NULL;
}

bool take_bytes(napi_env env, napi_value value, uint8_t **data, size_t *length) {
  napi_typedarray_type type;
  bool is_typed_array = false;
  napi_is_typedarray(env, value, &is_typed_array);
  return is_typed_array && napi_get_typedarray_info(env, value, &type, length, (void **)data, NULL, NULL) == napi_ok &&
         type == napi_uint8_array;
}

napi_value adopt(napi_env env, int fd) {
  napi_value result;
  uv_loop_t *loop;
  Socket *s = calloc(1, sizeof *s);
  int error = s == NULL ? ENOMEM : 0;
  if (error == 0 && napi_get_uv_event_loop(env, &loop) != napi_ok) error = ENOTSUP;
  if (error == 0) error = -uv_poll_init(loop, &s->poll, fd);
  if (error != 0) {
    close(fd);
    free(s);
    return integer(env, -error);
  }
  s->env = env;
  s->fd = fd;
  s->poll.data = s;
  if (napi_add_async_cleanup_hook(env, on_environment_exit, s, &s->hook) != napi_ok ||
      napi_create_external(env, s, on_collected, NULL, &result) != napi_ok) {
    s->collected = true;
    close_socket(s);
    return integer(env, -ENOMEM);
  }
  napi_type_tag_object(env, result, &SOCKET_TAG);
  return result;
}

/* open(protocol): socket | -errno */
static napi_value open_socket(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t count = 1;
  int32_t protocol;
  struct sockaddr_nl any = {.nl_family = AF_NETLINK};
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (napi_get_value_int32(env, argument, &protocol) != napi_ok) return type_error(env, "protocol is not a number");

  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return integer(env, -errno);
  if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0) {
    int error = errno;
    close(fd);
    return integer(env, -error);
  }
  return adopt(env, fd);
}

/* portId(socket): the kernel's name for this socket, which it puts into nlmsg_pid */
static napi_value port_id(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  Socket *s = open_socket_of(env, info, 1, argv);
  struct sockaddr_nl address;
  socklen_t length = sizeof address;
  if (s == NULL) return NULL;
  return integer(env, getsockname(s->fd, (struct sockaddr *)&address, &length) < 0 ? -errno : (int64_t)address.nl_pid);
}

/* setOption(socket, level, option, number | bytes): 0 | -errno */
static napi_value set_option(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  Socket *s = open_socket_of(env, info, 4, argv);
  int32_t level, option, number;
  uint8_t *bytes = (uint8_t *)&number;
  size_t length = sizeof number;
  if (s == NULL) return NULL;
  if (napi_get_value_int32(env, argv[1], &level) != napi_ok || napi_get_value_int32(env, argv[2], &option) != napi_ok)
    return type_error(env, "level and option are numbers");
  if (napi_get_value_int32(env, argv[3], &number) != napi_ok && !take_bytes(env, argv[3], &bytes, &length))
    return type_error(env, "the option's value is neither a number nor a Uint8Array");
  return integer(env, setsockopt(s->fd, level, option, bytes, (socklen_t)length) < 0 ? -errno : 0);
}

/* attachFilter(socket, program): 0 | -errno; program is an array of struct sock_filter (linux/filter.h) */
static napi_value attach_filter(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  Socket *s = open_socket_of(env, info, 2, argv);
  uint8_t *program;
  size_t length;
  if (s == NULL) return NULL;
  if (!take_bytes(env, argv[1], &program, &length) || length % 8 != 0 || length / 8 > 4096)
    return type_error(env, "the program is not a Uint8Array of 8-byte instructions");
  struct { unsigned short count; const void *instructions; } filter = {(unsigned short)(length / 8), program};
  return integer(env, setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno : 0);
}

/* send(socket, bytes, length): bytes sent | -errno; the kernel has acted on all of it when this returns */
static napi_value send_bytes(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  Socket *s = open_socket_of(env, info, 3, argv);
  uint8_t *bytes;
  size_t size;
  uint32_t length;
  if (s == NULL) return NULL;
  if (!take_bytes(env, argv[1], &bytes, &size)) return type_error(env, "what to send is not a Uint8Array");
  if (napi_get_value_uint32(env, argv[2], &length) != napi_ok) return type_error(env, "length is not a number");
  if (length > size) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "length is beyond the end of the bytes");
    return NULL;
  }
  ssize_t sent;
  do sent = send(s->fd, bytes, length, 0);
  while (sent < 0 && errno == EINTR);
  return integer(env, sent < 0 ? -errno : sent);
}

/* receive(socket, bytes): full length of the next datagram, more than `bytes` holds if it was cut, | -errno.
 * Datagrams that did not come from the kernel are dropped. */
static napi_value receive_bytes(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  Socket *s = open_socket_of(env, info, 2, argv);
  uint8_t *bytes;
  size_t size;
  struct sockaddr_nl from;
  if (s == NULL) return NULL;
  if (!take_bytes(env, argv[1], &bytes, &size)) return type_error(env, "where to receive is not a Uint8Array");
  ssize_t received;
  do {
    socklen_t length = sizeof from;
    from.nl_pid = 0;
    received = recvfrom(s->fd, bytes, size, MSG_TRUNC, (struct sockaddr *)&from, &length);
  } while (received < 0 ? errno == EINTR : from.nl_pid != 0);
  return integer(env, received < 0 ? -errno : received);
}

/* receiveAll(socket, bytes, room): octets | -errno. All datagrams that wait, one behind the other, each on a multiple of 4, for as long as
 * there is room for another. One that was cut is -EMSGSIZE. What goes wrong behind others is told by the next call. */
static napi_value receive_all(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  Socket *s = open_socket_of(env, info, 3, argv);
  uint8_t *bytes;
  size_t size, at = 0;
  uint32_t room;
  if (s == NULL) return NULL;
  if (!take_bytes(env, argv[1], &bytes, &size)) return type_error(env, "where to receive is not a Uint8Array");
  if (napi_get_value_uint32(env, argv[2], &room) != napi_ok || room == 0) return type_error(env, "room is not a number above 0");
  while (s->failure == 0 && size - at >= room) {
    struct sockaddr_nl from = {0};
    socklen_t length = sizeof from;
    ssize_t received = recvfrom(s->fd, bytes + at, size - at, MSG_TRUNC, (struct sockaddr *)&from, &length);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) s->failure = errno;
    else if (from.nl_pid != 0) continue;
    else if ((size_t)received > size - at) s->failure = EMSGSIZE;
    else
      for (at += (size_t)received; at % 4 != 0 && at < size; at++) bytes[at] = 0;
  }
  int failure = s->failure;
  if (at == 0 || failure == EAGAIN) s->failure = 0;
  return integer(env, at > 0 ? (int64_t)at : -failure);
}

/* libuv stops a poll handle that reports an error. An overrun is no reason to stop listening: clear it, tell, go on. */
static void on_ready(uv_poll_t *poll, int status, int events) {
  Socket *s = poll->data;
  napi_env env = s->env;
  napi_handle_scope scope;
  napi_value callback, receiver, argument, error;
  int failure = 0;
  socklen_t length = sizeof failure;
  (void)events;
  if (status < 0) {
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failure, &length);
    uv_poll_start(poll, UV_READABLE, on_ready);
  }
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  argument = integer(env, -failure);
  if (argument != NULL && napi_get_reference_value(env, s->callback, &callback) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok &&
      napi_make_callback(env, NULL, receiver, callback, 1, &argument, NULL) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok)
    napi_fatal_exception(env, error);
  napi_close_handle_scope(env, scope);
}

/* poll(socket, callback): calls back with 0 whenever there is something to receive, with -errno when the socket reports an
 * error. poll(socket) stops. */
static napi_value poll_socket(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  Socket *s = open_socket_of(env, info, 2, argv);
  napi_valuetype type;
  if (s == NULL) return NULL;
  napi_typeof(env, argv[1], &type);
  if (type != napi_function && type != napi_undefined) return type_error(env, "callback is not a function");
  uv_poll_stop(&s->poll);
  drop_reference(s, &s->callback);
  drop_reference(s, &s->self);
  if (type == napi_undefined) return integer(env, 0);
  napi_create_reference(env, argv[1], 1, &s->callback);
  napi_create_reference(env, argv[0], 1, &s->self);
  return integer(env, uv_poll_start(&s->poll, UV_READABLE, on_ready));
}

/* close(socket); closing twice is nothing */
static napi_value close_handle(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  Socket *s = any_socket(env, info, 1, argv);
  if (s != NULL) close_socket(s);
  return NULL;
}

/*
 * exit(code): ends the process at once. exit(3) would first wait for the threads of libuv, of which one may hang for many seconds in
 * getaddrinfo(3).
 */
static napi_value exit_process(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  int32_t code;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 1 ||
      napi_get_value_int32(env, argv[0], &code) != napi_ok)
    return type_error(env, "exit code expected");
  _exit(code);
}

/* The address of unix(7) for a path, or for a zero byte and an abstract name. Its length; 0 when there is no such address. */
static socklen_t unix_address(const uint8_t *name, size_t length, struct sockaddr_un *address) {
  if (length == 0 || length > sizeof address->sun_path) return 0;
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, name, length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/*
 * sendUnix(address, bytes): 0 | -errno. One datagram to a Unix socket, never waiting: a receiver whose queue is full is -EAGAIN. The
 * address is without the family.
 */
static napi_value send_unix(napi_env env, napi_callback_info info) {
  size_t argc = 2, length, size;
  napi_value argv[2];
  uint8_t *name, *bytes;
  struct sockaddr_un to = {0};
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 2 ||
      !take_bytes(env, argv[0], &name, &length) || !take_bytes(env, argv[1], &bytes, &size))
    return type_error(env, "address and datagram are Uint8Arrays");
  socklen_t to_length = unix_address(name, length, &to);
  if (to_length == 0) return integer(env, -ENAMETOOLONG);
  struct iovec text = {.iov_base = bytes, .iov_len = size};
  struct msghdr message = {.msg_name = &to, .msg_namelen = to_length, .msg_iov = &text, .msg_iovlen = 1};
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return integer(env, -errno);
  ssize_t sent;
  do sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  int error = sent < 0 ? errno : 0;
  close(fd);
  return integer(env, -error);
}

/*
 * listenerOf(address): [pid, uid] | -errno. Who listens at a Unix stream socket, as the kernel saw it when it began to (SO_PEERCRED,
 * unix(7)), also when it answers nobody. Never waits: a listener whose queue is full is -EAGAIN.
 */
static napi_value listener_of(napi_env env, napi_callback_info info) {
  size_t argc = 1, length;
  napi_value argv[1], result;
  uint8_t *name;
  struct sockaddr_un to = {0};
  struct ucred who = {0};
  socklen_t who_length = sizeof who;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 1 || !take_bytes(env, argv[0], &name, &length))
    return type_error(env, "the address is a Uint8Array");
  socklen_t to_length = unix_address(name, length, &to);
  if (to_length == 0) return integer(env, -ENAMETOOLONG);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return integer(env, -errno);
  int error = 0;
  if (connect(fd, (struct sockaddr *)&to, to_length) < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_length) < 0)
    error = errno;
  close(fd);
  if (error != 0) return integer(env, -error);
  napi_create_array_with_length(env, 2, &result);
  napi_set_element(env, result, 0, integer(env, who.pid));
  napi_set_element(env, result, 1, integer(env, who.uid));
  return result;
}

/*
 * listenUnix(address, sendBuffer, backlog): descriptor | -errno. A Unix stream socket that listens, and that no event loop looks after:
 * whoever connects waits in its queue. `sendBuffer` is how much it says it may send, as far as we may say so (SO_SNDBUFFORCE, socket(7)).
 */
static napi_value listen_unix(napi_env env, napi_callback_info info) {
  size_t argc = 3, length;
  napi_value argv[3];
  uint8_t *name;
  int32_t send_buffer, backlog;
  struct sockaddr_un address = {0};
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 3 || !take_bytes(env, argv[0], &name, &length) ||
      napi_get_value_int32(env, argv[1], &send_buffer) != napi_ok || napi_get_value_int32(env, argv[2], &backlog) != napi_ok)
    return type_error(env, "the address is a Uint8Array; send buffer and backlog are numbers");
  socklen_t address_length = unix_address(name, length, &address);
  if (address_length == 0) return integer(env, -ENAMETOOLONG);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return integer(env, -errno);
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer);
  if (bind(fd, (struct sockaddr *)&address, address_length) == 0 && listen(fd, backlog) == 0) return integer(env, fd);
  int error = errno;
  close(fd);
  return integer(env, -error);
}

/* dismiss(descriptor): 0 | -errno. Sends one away of those who wait in the queue of listenUnix; -EAGAIN when there is none. */
static napi_value dismiss(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  int32_t listener;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 1 ||
      napi_get_value_int32(env, argv[0], &listener) != napi_ok)
    return type_error(env, "the descriptor is a number");
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return integer(env, -errno);
  close(fd);
  return integer(env, 0);
}

NAPI_MODULE_INIT() {
  static const struct { const char *name; napi_callback call; } FUNCTIONS[] = {
      {"open", open_socket},        {"portId", port_id},         {"setOption", set_option}, {"attachFilter", attach_filter},
      {"send", send_bytes},         {"receive", receive_bytes},  {"receiveAll", receive_all},   {"poll", poll_socket},     {"close", close_handle},
      {"exit", exit_process},       {"sendUnix", send_unix},     {"listenerOf", listener_of},
      {"listenUnix", listen_unix},  {"dismiss", dismiss},        {"openIcmp", open_icmp},
      {"sendIcmp", send_icmp},      {"receivePackets", receive_packets}, {"openPacket", open_packet},
      {"releaseMemory", release_memory},               {"collectGarbage", collect_garbage}, {"textIn", text_in},
      {"openForwarder", open_forwarder},               {"forwarderName", forwarder_device},
      {"startForwarder", start_forwarder},             {"setForwarderMtu", set_forwarder_mtu},
      {"setForwarderPeers", set_forwarder_peers},      {"forwarderCounts", read_forwarder_counts},
      {"forwarderFailure", read_forwarder_failure},    {"stopForwarder", stop_forwarder},
      {"closeForwarder", close_forwarder_handle},
  };
  for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++) {
    napi_value function;
    if (napi_create_function(env, FUNCTIONS[i].name, NAPI_AUTO_LENGTH, FUNCTIONS[i].call, NULL, &function) != napi_ok ||
        napi_set_named_property(env, exports, FUNCTIONS[i].name, function) != napi_ok)
      return NULL;
  }
  return exports;
}
