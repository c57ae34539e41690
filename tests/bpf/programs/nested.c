/* SPDX-License-Identifier: MIT */
/* Calls far below a microsecond, beside and inside one another, as often as the argument says. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROBED __attribute__((noinline))

PROBED void inner(void) {
  syscall(SYS_getppid);
  __asm__ volatile("");
}

PROBED void outer(void) {
  inner();
  inner();
  __asm__ volatile("");
}

int main(int count, char **arguments) {
  for (int times = count > 1 ? atoi(arguments[1]) : 0; times; times--) {
    syscall(SYS_getuid);
    outer();
    syscall(SYS_getgid);
  }
  return 0;
}
