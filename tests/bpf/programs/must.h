/* SPDX-License-Identifier: MIT */
/* What a test program's calls must return: any other result ends it with code 3 and the line of the call. */
#ifndef MUST_H
#define MUST_H

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define MUST(call, result)                                                                                             \
  do {                                                                                                                 \
    long long got_ = (call);                                                                                           \
    if (got_ != (result)) {                                                                                            \
      dprintf(2, "line %d: %s: %lld, errno %d\n", __LINE__, #call, got_, errno);                                       \
      _exit(3);                                                                                                        \
    }                                                                                                                  \
  } while (0)
#define MUST_OPEN(call)                                                                                                \
  ({                                                                                                                   \
    int fd_ = (int)(call);                                                                                             \
    MUST(fd_ >= 0, 1);                                                                                                 \
    fd_;                                                                                                               \
  })

#endif
