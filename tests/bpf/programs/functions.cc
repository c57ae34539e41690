// What can happen between the entry of a function and its return.
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <pthread.h>
#include <stdexcept>

static void wait_us(long us) {
  timespec end, now;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_nsec += us * 1000;
  if (end.tv_nsec >= 1000000000) {
    end.tv_sec++;
    end.tv_nsec -= 1000000000;
  }
  do
    clock_gettime(CLOCK_MONOTONIC, &now);
  while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

#define PROBED extern "C" __attribute__((noinline))

PROBED int recurse(int depth) {
  wait_us(20);
  int below = depth > 1 ? recurse(depth - 1) : 0;
  asm volatile("");
  return below + 1;
}

PROBED int thrower(int value) {
  if (value < 0)
    throw std::runtime_error("negative");
  return value + 1;
}

PROBED int passer(int value) {
  int result = thrower(value);
  asm volatile("");
  return result + 1;
}

static jmp_buf place;

PROBED int jumper(int jump) {
  if (jump)
    longjmp(place, 1);
  asm volatile("");
  return 0;
}

PROBED int jump_through(int jump) {
  int result = jumper(jump);
  asm volatile("");
  return result;
}

PROBED int worker_step(int us) {
  wait_us(us);
  return us;
}

static void *worker(void *) {
  for (int i = 0; i < 100; i++)
    worker_step(10);
  return nullptr;
}

int main(int, char **arguments) {
  if (!strcmp(arguments[1], "recurse"))
    recurse(32);
  if (!strcmp(arguments[1], "jump"))
    for (volatile int i = 0; i < 10; i++) {
      if (!setjmp(place))
        jump_through(i % 2);
    }
  if (!strcmp(arguments[1], "throw"))
    for (int i = 0; i < 10; i++)
      try {
        passer(i % 2 ? -1 : i);
      } catch (const std::exception &error) {
        puts(error.what());
      }
  if (!strcmp(arguments[1], "threads")) {
    pthread_t threads[4];
    for (auto &thread : threads)
      pthread_create(&thread, nullptr, worker, nullptr);
    for (auto &thread : threads)
      pthread_join(thread, nullptr);
  }
  return 0;
}
