/* SPDX-License-Identifier: MIT */
/* disk FILE COUNT SIZE sync|lazy: writes COUNT pieces of SIZE bytes one after another, each synced or not. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments) {
  if (count != 5)
    return 2;
  long pieces = atol(arguments[2]), size = atol(arguments[3]);
  char *data = malloc((size_t)size);
  int file = open(arguments[1], O_CREAT | O_WRONLY | O_TRUNC, 0644);
  if (file < 0 || !data)
    return 1;
  memset(data, 'x', (size_t)size);
  for (long i = 0; i < pieces; i++) {
    if (pwrite(file, data, (size_t)size, i * size) != size)
      return 1;
    if (!strcmp(arguments[4], "sync") && fsync(file))
      return 1;
  }
  return close(file);
}
