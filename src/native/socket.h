/* What the sockets of the addon have in common, whatever is spoken through them; see netlink.c. */
#ifndef FLANNEL_SOCKET_H
#define FLANNEL_SOCKET_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* struct ucred, recvmmsg */
#endif
#include <errno.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

/*
 * Freed when nobody can reach it any more: the JavaScript handle was collected AND libuv has let go of the poll handle.
 * Either may happen first; a worker that is terminated closes the poll handle through the cleanup hook.
 */
typedef struct {
  uv_poll_t poll;
  napi_env env;
  napi_async_cleanup_hook_handle hook;
  napi_ref callback; /* while polling */
  napi_ref self;     /* while polling: a polled socket is not garbage */
  int fd;            /* -1 once closed */
  int failure;       /* errno that comes behind what was received, for the next call of receiveAll; 0: none */
  bool collected;
  bool released;
} Socket;

napi_value integer(napi_env env, int64_t value);
napi_value type_error(napi_env env, const char *message);
bool take_bytes(napi_env env, napi_value value, uint8_t **data, size_t *length);

/* The handle of a descriptor, which is closed with it, also when this fails: socket | -errno. */
napi_value adopt(napi_env env, int fd);

/* Takes the arguments; argument 0 has to be an open socket of ours. NULL (and an exception) if it is not. */
Socket *open_socket_of(napi_env env, napi_callback_info info, size_t count, napi_value *argv);

napi_value open_icmp(napi_env env, napi_callback_info info);
napi_value open_packet(napi_env env, napi_callback_info info);
napi_value send_icmp(napi_env env, napi_callback_info info);
napi_value receive_packets(napi_env env, napi_callback_info info);

/* Of memory.c. */
napi_value release_memory(napi_env env, napi_callback_info info);
napi_value collect_garbage(napi_env env, napi_callback_info info);
napi_value text_in(napi_env env, napi_callback_info info);

/* Of udp/udp.c. */
napi_value open_forwarder(napi_env env, napi_callback_info info);
napi_value forwarder_device(napi_env env, napi_callback_info info);
napi_value start_forwarder(napi_env env, napi_callback_info info);
napi_value set_forwarder_mtu(napi_env env, napi_callback_info info);
napi_value set_forwarder_peers(napi_env env, napi_callback_info info);
napi_value read_forwarder_counts(napi_env env, napi_callback_info info);
napi_value read_forwarder_failure(napi_env env, napi_callback_info info);
napi_value stop_forwarder(napi_env env, napi_callback_info info);
napi_value close_forwarder_handle(napi_env env, napi_callback_info info);

#endif
