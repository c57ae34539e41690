/* SPDX-License-Identifier: MIT */
/* USDT probes as <sys/sdt.h> makes them, written out, so that no other package is needed. */
#include <stdio.h>

#define MARK(name, semaphore, arguments, ...)                                                                          \
  __asm__ __volatile__("990: nop\n"                                                                                    \
                       ".pushsection .note.stapsdt,\"\",\"note\"\n"                                                    \
                       ".balign 4\n"                                                                                   \
                       ".4byte 992f-991f, 994f-993f, 3\n"                                                              \
                       "991: .asciz \"stapsdt\"\n"                                                                     \
                       "992: .balign 4\n"                                                                              \
                       "993: .8byte 990b, _.stapsdt.base, " semaphore "\n"                                             \
                       ".asciz \"tests\"\n"                                                                            \
                       ".asciz \"" name "\"\n"                                                                         \
                       ".asciz \"" arguments "\"\n"                                                                    \
                       "994: .balign 4\n"                                                                              \
                       ".popsection\n" ::__VA_ARGS__)

__asm__(".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"
        ".weak _.stapsdt.base\n"
        ".hidden _.stapsdt.base\n"
        "_.stapsdt.base: .space 1\n"
        ".size _.stapsdt.base, 1\n"
        ".popsection\n");

unsigned short begun_semaphore __attribute__((section(".probes"), used));

static int __attribute__((noinline)) work(int depth, const char *text) {
  long wide = -5;
  double half = 0.5;
  MARK("work__entry", "begun_semaphore", "-4@%k0 8@%1 -8@%2", "r"(depth), "r"(text), "m"(wide));
  int result = depth ? work(depth - 1, text) + 1 : 0;
  MARK("number", "0", "8f@%0 -4@$-7 1@%b1", "m"(half), "q"(depth));
  MARK("work__return", "0", "-4@%k0", "r"(result));
  return result;
}

int main(void) {
  work(3, "hello");
  printf("%d\n", begun_semaphore);
  return 0;
}
