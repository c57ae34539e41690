/* SPDX-License-Identifier: MIT */
/* What can happen between the entry of a function and its return. Compiles as C, and as C++ with exceptions. */
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#ifdef __cplusplus
#include <stdexcept>
#define PROBED extern "C" __attribute__((noinline))
#else
#define PROBED __attribute__((noinline))
#endif

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void wait_us(int us) {
  for (int64_t end = now_ns() + us * 1000; now_ns() < end;)
    ;
}

PROBED int recurse(int depth) {
  wait_us(20);
  int below = depth > 1 ? recurse(depth - 1) : 0;
  __asm__ volatile("");
  return below + 1;
}

static jmp_buf place;

PROBED int jumper(int jump) {
  if (jump)
    longjmp(place, 1);
  __asm__ volatile("");
  return 0;
}

PROBED int jump_through(int jump) {
  int result = jumper(jump);
  __asm__ volatile("");
  return result;
}

PROBED int worker_step(int us) {
  wait_us(us);
  return us;
}

static void *worker(void *unused) {
  for (int i = 0; i < 100; i++)
    worker_step(10);
  return unused;
}

#ifdef __cplusplus
PROBED int thrower(int value) {
  if (value < 0)
    throw std::runtime_error("negative");
  return value + 1;
}

PROBED int passer(int value) {
  int result = thrower(value);
  __asm__ volatile("");
  return result + 1;
}

static void catch_some(void) {
  for (int i = 0; i < 10; i++)
    try { passer(i % 2 ? -1 : i); }
  catch(const std::exception &error) { puts(error.what()); }
}
#else
static void catch_some(void) {}
#endif

static void jump_some(void) {
  for (volatile int i = 0; i < 10; i++)
    if (!setjmp(place))
      jump_through(i % 2);
}

static void run_threads(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    pthread_create(&threads[i], NULL, worker, NULL);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
}

int main(int count, char **arguments) {
  const char *what = count > 1 ? arguments[1] : "";
  if (!strcmp(what, "recurse"))
    recurse(32);
  if (!strcmp(what, "jump"))
    jump_some();
  if (!strcmp(what, "throw"))
    catch_some();
  if (!strcmp(what, "threads"))
    run_threads();
  return 0;
}
