/* SPDX-License-Identifier: MIT */
#include "preload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libdatacrumbs_client.so"
#define SEPARATORS " :" /* between the entries of LD_PRELOAD: ld.so(8) */

/* Set by the build: the folder of the installed library, and Python's name for its own (such as python3.11). */
#ifndef DC_LIBRARY_DIR
#define DC_LIBRARY_DIR ""
#endif
#ifndef DC_PYTHON
#define DC_PYTHON "python3"
#endif
#define PACKAGE "site-packages/datacrumbs/client/"

/* Relative to the folder of this program. They come before the absolute path that was compiled in: a wheel is built for
 * no place in particular, and what stands at that path may be another version's. */
static const char *const places[] = {
    "", "../lib/", "../lib64/", "../lib/" DC_PYTHON "/" PACKAGE, "../lib64/" DC_PYTHON "/" PACKAGE,
};

bool dc_library_find(char library[static PATH_MAX]) {
  char self[PATH_MAX];
  ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1); /* symbolic links to us are resolved in it */
  self[size > 0 ? size : 0] = '\0';
  char *name = strrchr(self, '/');
  if (name) {
    name[1] = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
      char candidate[PATH_MAX];
      int length = snprintf(candidate, sizeof(candidate), "%s%s" LIBRARY, self, places[i]);
      if (length < PATH_MAX && realpath(candidate, library) && access(library, R_OK) == 0)
        return true;
    }
  }
  int length = snprintf(library, PATH_MAX, "%s/" LIBRARY, DC_LIBRARY_DIR);
  return length < PATH_MAX && *DC_LIBRARY_DIR && access(library, R_OK) == 0;
}

/** Whether an entry of the list is the library, from wherever: two copies would only do the same work twice. */
static bool names_library(const char *list) {
  for (list += strspn(list, SEPARATORS); *list; list += strspn(list, SEPARATORS)) {
    size_t length = strcspn(list, SEPARATORS), own = strlen(LIBRARY);
    if (length >= own && strncmp(list + length - own, LIBRARY, own) == 0 &&
        (length == own || list[length - own - 1] == '/'))
      return true;
    list += length;
  }
  return false;
}

int dc_library_preload(const char *library) {
  const char *own = getenv("LD_PRELOAD");
  if (!own || !*own)
    own = "";
  if (names_library(own))
    return 0;
  if (strpbrk(library, SEPARATORS "$"))
    return EINVAL;
  char *list = NULL;
  if (asprintf(&list, "%s%s%s", own, *own ? ":" : "", library) < 0)
    return ENOMEM;
  int failed = setenv("LD_PRELOAD", list, 1);
  free(list);
  return failed ? ENOMEM : 0;
}
