import { spawnSync } from 'node:child_process'
import type { CommandLine } from './command.ts'
import type { Place } from './namespace.ts'

/** Of each host its own: while it is there, that host has no VXLAN. */
const LIBRARY = '/run/tmp/missing-vxlan.so'

/**
 * Stands before send(2): a request for a link of the kind `vxlan` (IFLA_INFO_KIND, linux/if_link.h) asks for a kind that there is none of.
 * The answer is that of the kernel itself, which is the same where it was built without VXLAN.
 */
const SOURCE = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* its type and its value, which may end with an octet of 0 or without */
static const char WANTED[] = "\\x01\\0vxlan";

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  ssize_t (*next)(int, const void *, size_t, int) = (ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
  const char *found = memmem(bytes, length, WANTED, sizeof WANTED - 1);
  if (found == NULL || access("${LIBRARY}", F_OK) != 0) return next(fd, bytes, length, flags);
  char *other = malloc(length);
  if (other == NULL) abort();
  memcpy(other, bytes, length);
  memcpy(other + (found - (const char *)bytes) + 2, "other", 5);
  ssize_t sent = next(fd, other, length, flags);
  free(other);
  return sent;
}
`

/** Whether {@link takeVxlan} has what it is made with. */
export const hasCompiler = spawnSync('cc', ['--version']).status === 0

/** The command on a kernel that {@link takeVxlan} has taken VXLAN from, where it has. */
export const onThatKernel = (command: CommandLine): CommandLine => [
  ...(['sh', '-c', `[ ! -e ${LIBRARY} ] || export LD_PRELOAD=${LIBRARY}; exec "$@"`, 'sh'] as const),
  ...command,
]

/** Has this host's kernel make no VXLAN devices for its agent, though that of the machine can; nothing of the module is seen either. */
export async function takeVxlan(place: Place): Promise<void> {
  await place.exec('cc', ['-shared', '-fPIC', '-o', LIBRARY, '-xc', '-', '-ldl'], { input: SOURCE })
  await place.exec('mount', ['-t', 'tmpfs', 'tmpfs', '/sys/module'])
}

/** As if its module were loaded. */
export async function giveVxlanBack(place: Place): Promise<void> {
  await place.exec('umount', ['--lazy', '/sys/module'])
  await place.exec('rm', [LIBRARY])
}
