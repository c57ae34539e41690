/* SPDX-License-Identifier: MIT */
/**
 * Is a probe where the processor says it may be? step LIBRARY < "ADDRESS SKIP" lines
 *
 * Each function is entered with known arguments in a process that is single-stepped from its entry to the place of its
 * probe. Prints a line for each whose arguments, stack pointer or way there are not as they should be.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS 24
#define ROOM 65536

static const char *step_to(pid_t child, struct user_regs_struct *start, unsigned long place) {
  struct user_regs_struct now = *start;
  if (ptrace(PTRACE_SETREGS, child, NULL, start))
    return "cannot set registers";
  for (int i = 0; i < STEPS && now.rip != place; i++) {
    unsigned long before = now.rip;
    int status;
    ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
      return "the process is gone";
    if (WSTOPSIG(status) != SIGTRAP)
      return "a signal";
    ptrace(PTRACE_GETREGS, child, NULL, &now);
    if (now.rip <= before || now.rip > place)
      return "not straight";
  }
  if (now.rip != place)
    return "too far";
  if (now.rsp != start->rsp)
    return "the stack pointer";
  if (now.rdi != start->rdi || now.rsi != start->rsi || now.rdx != start->rdx || now.rcx != start->rcx ||
      now.r8 != start->r8 || now.r9 != start->r9)
    return "an argument";
  return NULL;
}

int main(int count, char **arguments) {
  void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
  struct link_map *map;
  if (!library || dlinfo(library, RTLD_DI_LINKMAP, &map)) {
    fprintf(stderr, "%s\n", count == 2 ? dlerror() : "usage: step LIBRARY");
    return 2;
  }
  char *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t i = 0; i < ROOM / sizeof(char *); i++)
    ((char **)room)[i] = room + 0x6000; /* whatever is followed leads here again */
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  struct user_regs_struct start;
  ptrace(PTRACE_GETREGS, child, NULL, &start);
  unsigned long base = (unsigned long)room, address, skip;
  start.rsp = base + ROOM / 2 - 8;
  start.rdi = base + 0x100;
  start.rsi = base + 0x1200;
  start.rdx = base + 0x2300;
  start.rcx = base + 0x3400;
  start.r8 = base + 0x4500;
  start.r9 = base + 0x5600;
  start.rax = start.rbx = 0;
  start.orig_rax = (unsigned long)-1;
  int done = 0;
  for (; scanf("%lx %lu", &address, &skip) == 2; done++) {
    start.rip = map->l_addr + address;
    const char *problem = step_to(child, &start, start.rip + skip);
    if (problem)
      printf("%lx+%lu: %s\n", address, skip, problem);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  fprintf(stderr, "%d\n", done);
  return 0;
}
