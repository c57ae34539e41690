/* SPDX-License-Identifier: MIT */
/*
 * experiment FILE COUNT SIZE cold|warm|buffered|synced|direct: reads or writes COUNT pieces of SIZE bytes of a file
 * that has them, and prints what the kernel counted for this process while it did so (proc(5), /proc/PID/io).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long counted(const char *name) {
  char line[128];
  size_t size = strlen(name);
  long value = -1;
  FILE *file = fopen("/proc/self/io", "r");
  while (file && fgets(line, sizeof(line), file))
    if (!strncmp(line, name, size) && line[size] == ':')
      value = atol(line + size + 1);
  if (file)
    fclose(file);
  return value;
}

int main(int count, char **arguments) {
  if (count != 5)
    return 2;
  long pieces = atol(arguments[2]), size = atol(arguments[3]);
  const char *mode = arguments[4];
  int reads = !strcmp(mode, "cold") || !strcmp(mode, "warm");
  int flags = !strcmp(mode, "direct") ? O_WRONLY | O_DIRECT : reads ? O_RDONLY : O_WRONLY;
  char *data = aligned_alloc(4096, (size_t)size);
  int file = open(arguments[1], flags);
  if (file < 0 || !data)
    return 1;
  memset(data, 'x', (size_t)size);
  /* each read for itself: none is served by what the kernel read ahead for another */
  posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
  if (!strcmp(mode, "cold") || !strcmp(mode, "direct"))
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  long reads_before = counted("read_bytes"), writes_before = counted("write_bytes");
  for (long i = 0; i < pieces; i++) {
    ssize_t done = reads ? pread(file, data, (size_t)size, i * size) : pwrite(file, data, (size_t)size, i * size);
    if (done != size || (!strcmp(mode, "synced") && fsync(file)))
      return 1;
  }
  printf("read_bytes: %ld\nwrite_bytes: %ld\n", counted("read_bytes") - reads_before,
         counted("write_bytes") - writes_before);
  return close(file);
}
