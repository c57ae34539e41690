/* SPDX-License-Identifier: MIT */
/* Functions with arguments of every kind, called once each with values that the test knows. */
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FUNCTION __attribute__((noinline, noipa))

FUNCTION int8_t narrow(int8_t a, uint8_t b, int16_t c, uint16_t d) { return (int8_t)(a + b * 0 + c * 0 + d * 0); }
FUNCTION unsigned wide(int a, unsigned b, int64_t c, uint64_t d) { return (unsigned)(a + (int)b + (int)c + (int)d); }
FUNCTION long many(long a, long b, long c, long d, long e, long f, int g, long h) {
  return a + b + c + d + e + f + g + h;
}
FUNCTION void *pointers(void *a, void *b) { return a ? a : b; }
FUNCTION const char *strings(const char *a, const char *b) { return a && *a ? a : b; }
FUNCTION void gives_back(uint64_t *out, float *half, double *third) {
  *out = 0xfedcba9876543210u;
  *half = 0.5f;
  *third = 1.0 / 3;
}
FUNCTION size_t moves(const void *from, size_t size, size_t count, FILE *stream) {
  return fwrite(from, size, count, stream);
}
FUNCTION int on_descriptor(int descriptor) { return (int)write(descriptor, "xy", 2); }
FUNCTION FILE *opens_stream(const char *path, const char *mode) { return fopen(path, mode); }
FUNCTION long makes_handle(const char *path, long *handle) {
  *handle = path[0] ? 0x1234567 : 0;
  return 0;
}
FUNCTION long derives_handle(long handle, const char *name) { return handle + (long)strlen(name); }
FUNCTION int uses_handle(long handle, int count, const uint64_t *size) { return handle && count && *size ? 0 : -1; }
FUNCTION long nested(long depth) { return depth ? 1 + nested(depth - 1) : 0; }

static jmp_buf out;
FUNCTION long jumps(long value) {
  if (value > 0)
    longjmp(out, 1);
  return value;
}

int main(int count, char **arguments) {
  static const char broken[] = "caf\xc3\xa9 \xff \"x\"\n";
  char text[600];
  (void)count;
  memset(text, 'a', sizeof(text) - 1);
  text[sizeof(text) - 1] = 0;
  narrow(-3, 200, -30000, 60000);
  wide(-2000000000, 4000000000u, INT64_MIN, UINT64_MAX);
  many(1, -2, 3, -4, 5, -6, 7, -8);
  pointers(NULL, (void *)0x7f00);
  strings(broken, text);
  strings(NULL, (const char *)8);
  uint64_t size;
  float half;
  double third;
  gives_back(&size, &half, &third);
  FILE *stream = opens_stream(arguments[1], "w");
  moves(text, 4, 100, stream);
  on_descriptor(fileno(stream));
  fclose(stream);
  opens_stream("/nonexistent/file", "r");
  long handle;
  makes_handle(arguments[1], &handle);
  size = 8;
  uses_handle(derives_handle(handle, "name"), 25, &size);
  nested(100);
  for (int i = 0; i < 100; i++)
    if (!setjmp(out))
      jumps(i + 1);
  jumps(-5);
  return 0;
}
