/* SPDX-License-Identifier: MIT */
/* A function that begins as pthread_spin_lock does, with an instruction that the kernel does not probe, and one that it
 * does: refused CALLS [wait]. With "wait" it ends when its input does. */
#include <stdlib.h>
#include <unistd.h>

int taken;

__attribute__((noinline)) int plain(int x) {
  __asm__ volatile("" : "+r"(x));
  return x + 1;
}

__attribute__((naked)) void locked(void) { __asm__("lock incl taken(%rip)\n\tret"); }

int main(int count, char *arguments[]) {
  char byte;
  for (int i = 0; i < atoi(arguments[1]); i++) {
    locked();
    plain(i);
  }
  while (count > 2 && read(0, &byte, 1) > 0)
    ;
  return 0;
}
