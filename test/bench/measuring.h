/* What the programs that send between containers have in common. */
#ifndef BENCH_MEASURING_H
#define BENCH_MEASURING_H
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Seconds, on a clock that is never set. */
static inline double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static inline void die(const char *what) {
  perror(what);
  exit(1);
}

static inline int compare_times(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return (difference > 0) - (difference < 0);
}

/* In ascending order. */
static inline void sort_times(double *times, size_t count) { qsort(times, count, sizeof *times, compare_times); }

/* Ends the program where there is to be none. */
static inline double *room_for_times(size_t count) {
  double *times = calloc(count, sizeof *times);
  if (times == NULL || count == 0) die("count");
  return times;
}

#endif
