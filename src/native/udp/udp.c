/* Forwarders for Node: a handle for each, as the sockets of netlink.c; system errors come back as negative errno. */
#include "../socket.h"
#include "forwarder.h"

#include <stdlib.h>

static const napi_type_tag FORWARDER_TAG = {0x51d0c1f0a6b94e37, 0x8e20d7739fb1462c};

/* What a handle stands for. It is closed with the handle, or with the thread of Node that has it. */
typedef struct {
  Forwarder *forwarder; /* NULL once closed */
  napi_env env;
} Handle;

static void close_forwarder(Handle *h) {
  if (h->forwarder != NULL) forwarder_close(h->forwarder);
  h->forwarder = NULL;
}

static void on_environment_exit(void *data) { close_forwarder(data); }

static void on_collected(napi_env env, void *data, void *hint) {
  Handle *h = data;
  (void)hint;
  napi_remove_env_cleanup_hook(env, on_environment_exit, h);
  close_forwarder(h);
  free(h);
}

/* Takes the arguments; argument 0 has to be a handle of ours. NULL (and an exception) if it is not. */
static Handle *handle_of(napi_env env, napi_callback_info info, size_t count, napi_value *argv) {
  bool ours = false;
  void *h = NULL;
  napi_valuetype type = napi_undefined;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  napi_typeof(env, argv[0], &type);
  if (type == napi_external) napi_check_object_type_tag(env, argv[0], &FORWARDER_TAG, &ours);
  if (!ours || napi_get_value_external(env, argv[0], &h) != napi_ok) {
    type_error(env, "argument 1 is not a forwarder");
    return NULL;
  }
  return h;
}

static Forwarder *open_forwarder_of(napi_env env, napi_callback_info info, size_t count, napi_value *argv) {
  Handle *h = handle_of(env, info, count, argv);
  if (h != NULL && h->forwarder == NULL) napi_throw_error(env, "ERR_SOCKET_CLOSED", "the forwarder is closed");
  return h == NULL ? NULL : h->forwarder;
}

/* openForwarder(name, isPlain): handle | -errno */
napi_value open_forwarder(napi_env env, napi_callback_info info) {
  napi_value argv[2], result;
  size_t argc = 2, length;
  char name[64];
  bool is_plain;
  Forwarder *forwarder = NULL;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 2 ||
      napi_get_value_string_utf8(env, argv[0], name, sizeof name, &length) != napi_ok ||
      napi_get_value_bool(env, argv[1], &is_plain) != napi_ok)
    return type_error(env, "the name is a string, isPlain a boolean");
  int error = forwarder_open(name, is_plain, &forwarder);
  if (error < 0) return integer(env, error);
  Handle *h = calloc(1, sizeof *h);
  if (h != NULL) *h = (Handle){.forwarder = forwarder, .env = env};
  if (h == NULL || napi_create_external(env, h, on_collected, NULL, &result) != napi_ok) {
    forwarder_close(forwarder);
    free(h);
    return integer(env, -ENOMEM);
  }
  napi_add_env_cleanup_hook(env, on_environment_exit, h);
  napi_type_tag_object(env, result, &FORWARDER_TAG);
  return result;
}

/* forwarderName(handle): the device's */
napi_value forwarder_device(napi_env env, napi_callback_info info) {
  napi_value argv[1], result = NULL;
  Forwarder *f = open_forwarder_of(env, info, 1, argv);
  if (f != NULL) napi_create_string_utf8(env, forwarder_name(f), NAPI_AUTO_LENGTH, &result);
  return result;
}

static bool take_numbers(napi_env env, napi_value value, napi_typedarray_type wanted, void **data, size_t *length) {
  napi_typedarray_type type;
  bool is_typed_array = false;
  napi_is_typedarray(env, value, &is_typed_array);
  return is_typed_array && napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL) == napi_ok && type == wanted;
}

/* startForwarder(handle, [address, port, subnet, subnet length, MTU]): 0 | -errno; a Uint32Array, addresses as numbers */
napi_value start_forwarder(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  void *data;
  size_t length;
  Forwarder *f = open_forwarder_of(env, info, 2, argv);
  if (f == NULL) return NULL;
  if (!take_numbers(env, argv[1], napi_uint32_array, &data, &length) || length != 5)
    return type_error(env, "settings are a Uint32Array of 5");
  const uint32_t *given = data;
  if (given[1] == 0 || given[1] > 65535 || given[3] > 32) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "there is no such port, or no such subnet");
    return NULL;
  }
  ForwarderSettings settings = {
      .address = given[0], .port = given[1], .subnet = given[2], .subnet_length = given[3], .mtu = given[4]};
  return integer(env, forwarder_start(f, &settings));
}

/* setForwarderMtu(handle, mtu) */
napi_value set_forwarder_mtu(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  uint32_t mtu;
  Forwarder *f = open_forwarder_of(env, info, 2, argv);
  if (f == NULL) return NULL;
  if (napi_get_value_uint32(env, argv[1], &mtu) != napi_ok) return type_error(env, "the MTU is not a number");
  forwarder_set_mtu(f, mtu);
  return NULL;
}

/* setForwarderPeers(handle, rows): 0 | -errno; a Uint32Array of three numbers a peer: subnet, prefix length, address */
napi_value set_forwarder_peers(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  void *data;
  size_t length;
  Forwarder *f = open_forwarder_of(env, info, 2, argv);
  if (f == NULL) return NULL;
  if (!take_numbers(env, argv[1], napi_uint32_array, &data, &length) || length % 3 != 0)
    return type_error(env, "peers are a Uint32Array of three numbers each");
  const uint32_t *rows = data;
  for (size_t at = 1; at < length; at += 3)
    if (rows[at] > 32) {
      napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "a prefix has at most 32 bits");
      return NULL;
    }
  return integer(env, forwarder_set_peers(f, rows, length / 3));
}

/* forwarderCounts(handle): a Float64Array, see forwarder.h: what is counted of all, then of each peer */
napi_value read_forwarder_counts(napi_env env, napi_callback_info info) {
  napi_value argv[1], buffer, result = NULL;
  void *data;
  Forwarder *f = open_forwarder_of(env, info, 1, argv);
  if (f == NULL) return NULL;
  size_t length = FORWARD_COUNTS + PEER_COUNTS * forwarder_peers(f);
  if (napi_create_arraybuffer(env, length * sizeof(double), &data, &buffer) != napi_ok) return NULL;
  forwarder_counts(f, data);
  napi_create_typedarray(env, napi_float64_array, length, buffer, 0, &result);
  return result;
}

/* forwarderFailure(handle): errno with which it has ended of itself; 0: it has not */
napi_value read_forwarder_failure(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  Forwarder *f = open_forwarder_of(env, info, 1, argv);
  return f == NULL ? NULL : integer(env, forwarder_failure(f));
}

/* stopForwarder(handle); twice is nothing, nor is it once the handle is closed */
napi_value stop_forwarder(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  Handle *h = handle_of(env, info, 1, argv);
  if (h != NULL && h->forwarder != NULL) forwarder_stop(h->forwarder);
  return NULL;
}

/* closeForwarder(handle); twice is nothing */
napi_value close_forwarder_handle(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  Handle *h = handle_of(env, info, 1, argv);
  if (h != NULL) close_forwarder(h);
  return NULL;
}
