/*
 * Who carries what. While little passes, one thread carries both directions: a packet that is answered at once is often answered before that
 * thread sleeps, and each wake that is spared is a fifth of a packet's way. As soon as there is much in either direction, the way in is the
 * other thread's, until it finds little to do. One has it at a time, so that packets stay in order and counts have one writer.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "thread.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  MUCH = 16,     /* packets at once: more than one thread is to carry */
  LITTLE = 1,    /* packets at once */
  PATIENCE = 256 /* rounds with as little, until one thread does both again */
};

/* From now on the socket is looked at by the outward thread, or is not. Only that thread says so. */
static void watch_socket(Forwarder *f, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = f->socket};
  if (epoll_ctl(f->events, EPOLL_CTL_MOD, f->socket, &event) < 0) fail(&f->sides[OUTWARD], errno);
}

/*
 * Whoever reads false is the outward thread, or has what the outward thread gave back with it: only that one makes it true, only the other
 * one false.
 */
static bool is_apart(Forwarder *f) { return atomic_load_explicit(&f->is_apart, memory_order_acquire); }

static void ring(int bell) {
  uint64_t one = 1;
  (void)!write(bell, &one, sizeof one);
}

static void part(Forwarder *f) {
  if (is_apart(f)) return;
  watch_socket(f, 0);
  atomic_store_explicit(&f->is_apart, true, memory_order_release);
  ring(f->turn);
}

/* By the inward thread. */
static void join(Forwarder *f) {
  atomic_store_explicit(&f->is_apart, false, memory_order_release);
  ring(f->joined);
}

/* It may have parted again since the other thread has rung. */
static void take_back(Forwarder *f) {
  uint64_t times;
  if (read(f->joined, &times, sizeof times) > 0 && !is_apart(f)) watch_socket(f, EPOLLIN);
}

/* All that the device has. False when the thread is to end. */
static bool forward_all(Outward *o, Forwarder *f) {
  unsigned packets;
  for (bool is_first = true, more = true; more; is_first = false) {
    more = forward_round(o, is_first, &packets);
    if (packets >= MUCH) part(f);
  }
  return !atomic_load_explicit(&f->ends, memory_order_relaxed);
}

/* The first datagram is handed over before others are looked for, and its answer is. */
static bool take_and_answer(Outward *o, Forwarder *f) {
  unsigned first, others;
  if (!take_round(f->inward, true, MSG_DONTWAIT, &first)) return false;
  if (!forward_all(o, f)) return false;
  if (is_apart(f)) return true;
  if (!take_round(f->inward, false, MSG_DONTWAIT, &others)) return false;
  if (first + others >= MUCH) part(f);
  return true;
}

static bool wait_and_carry(Outward *o, Forwarder *f) {
  struct epoll_event ready[4];
  int many = epoll_wait(f->events, ready, 4, -1);
  for (int at = 0; at < many; at++) {
    int fd = ready[at].data.fd;
    if (fd == f->stop) return false;
    if (fd == f->joined) take_back(f);
    if (fd == f->tun && !forward_all(o, f)) return false;
    if (fd == f->socket && !is_apart(f) && !take_and_answer(o, f)) return false;
  }
  return true;
}

void run_outward(void *data) {
  Side *side = data;
  Outward *o = make_outward(side);
  prctl(PR_SET_NAME, "flannel-out");
  if (o == NULL) return fail(side, ENOMEM);
  while (wait_and_carry(o, side->forwarder));
  free(o);
}

/* Until there is little. False when the thread is to end. */
static bool take_much(Inward *i) {
  for (unsigned rounds = 0, taken = 0; rounds < PATIENCE; rounds = taken <= LITTLE ? rounds + 1 : 0) {
    if (!take_round(i, false, 0, &taken)) return false;
    if (taken == 0) return true; /* the socket's patience has ended */
  }
  return true;
}

void run_inward(void *data) {
  Side *side = data;
  Forwarder *f = side->forwarder;
  uint64_t turns;
  prctl(PR_SET_NAME, "flannel-in");
  while (wait_for(side, f->turn, POLLIN, -1)) {
    if (read(f->turn, &turns, sizeof turns) < 0 || !is_apart(f)) continue;
    if (!take_much(f->inward)) return;
    join(f);
  }
}
