/*
 * What a process can do for its own memory, and neither JavaScript nor Node-API has words for. All of it is asked of the process by name when the
 * addon is loaded, and is left undone where there is no such thing: another C library, another Node.
 */
#include "socket.h"

/* malloc.h of the GNU C library; musl's malloc keeps little, and has none. */
extern int malloc_trim(size_t pad) __attribute__((weak));

/* v8::Isolate (v8-isolate.h), by the names that they have in a shared library; the same from V8 11 to 14. */
extern void *current_isolate(void) __asm__("_ZN2v87Isolate13TryGetCurrentEv") __attribute__((weak));
extern void notify_of_pressure(void *isolate, int level)
    __asm__("_ZN2v87Isolate26MemoryPressureNotificationENS_19MemoryPressureLevelE") __attribute__((weak));
enum { MODERATE = 1 }; /* v8::MemoryPressureLevel (v8-memory-span.h): V8 collects all, a little at a time */

/* Node-API 10 (js_native_api.h). */
extern napi_status node_api_create_external_string_latin1(napi_env env, char *text, size_t length, napi_finalize finalize, void *hint,
                                                          napi_value *result, bool *copied) __attribute__((weak));

/* releaseMemory(): whether something was given back to the kernel of what malloc(3) keeps after it was freed (malloc_trim(3)). */
napi_value release_memory(napi_env env, napi_callback_info info) {
  napi_value result;
  (void)info;
  napi_get_boolean(env, malloc_trim != NULL && malloc_trim(0) == 1, &result);
  return result;
}

/* collectGarbage(): whether V8 has been asked to, which takes its time: some milliseconds now and then. */
napi_value collect_garbage(napi_env env, napi_callback_info info) {
  napi_value result;
  (void)info;
  void *isolate = current_isolate == NULL ? NULL : current_isolate();
  if (isolate != NULL && notify_of_pressure != NULL) notify_of_pressure(isolate, MODERATE);
  napi_get_boolean(env, isolate != NULL && notify_of_pressure != NULL, &result);
  return result;
}

/*
 * textIn(bytes): a text of octets that stay where they are for as long as the process runs, each a character of Latin-1. They are not copied where
 * Node can do without.
 */
napi_value text_in(napi_env env, napi_callback_info info) {
  size_t argc = 1, length;
  napi_value argv[1], result;
  uint8_t *bytes;
  bool copied;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 1 || !take_bytes(env, argv[0], &bytes, &length))
    return type_error(env, "the octets are a Uint8Array");
  if (node_api_create_external_string_latin1 != NULL &&
      node_api_create_external_string_latin1(env, (char *)bytes, length, NULL, NULL, &result, &copied) == napi_ok)
    return result;
  return napi_create_string_latin1(env, (const char *)bytes, length, &result) == napi_ok ? result : NULL;
}
