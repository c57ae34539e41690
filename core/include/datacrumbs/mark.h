/* SPDX-License-Identifier: MIT */
/**
 * Markers, made with bare system calls: nothing that a process may have interposed is called, and errno stays.
 */
#ifndef DATACRUMBS_MARK_H
#define DATACRUMBS_MARK_H

#include <datacrumbs/marker.h>

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(long) == 8, "a run token fills one argument of a system call");

static inline long dc_syscall(long number, long first, long second, long third, long fourth) {
#if defined(__x86_64__)
  register long r10 __asm__("r10") = fourth;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = first;
  register long x1 __asm__("x1") = second;
  register long x2 __asm__("x2") = third;
  register long x3 __asm__("x3") = fourth;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory", "cc");
  return x0;
#else
  int saved = errno;
  long result = syscall(number, first, second, third, fourth);
  errno = saved;
  return result;
#endif
}

/** The kernel answers EINVAL to every marker, so there is no result to look at. */
static inline void dc_mark(enum dc_marker_op operation, unsigned long long third, unsigned long long fourth) {
  dc_syscall(SYS_prctl, DC_MARKER, operation, (long)third, (long)fourth);
}

static inline unsigned long long dc_token(const char *run_id) {
  if (!run_id || !*run_id)
    return DC_TOKEN_ANY;
  unsigned long long token = DC_TOKEN_BASIS;
  for (; *run_id; run_id++)
    token = (token ^ (unsigned char)*run_id) * DC_TOKEN_PRIME;
  return token;
}

static inline void dc_mark_start(const char *run_id) { dc_mark(DC_MARKER_START, dc_token(run_id), 0); }

static inline void dc_mark_stop(void) { dc_mark(DC_MARKER_STOP, 0, 0); }

/** CLOCK_MONOTONIC in nanoseconds, also where clock_gettime() is interposed to tell another time. */
static inline unsigned long long dc_now(void) {
  struct timespec now = {0};
  dc_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0);
  return (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec;
}

#endif
