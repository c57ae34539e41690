/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* libbpf calls back without a context, so this is the one variable of the module that all share. */
static char last_warning[512];

static int keep(enum libbpf_print_level level, const char *format, va_list arguments) {
  if (level == LIBBPF_WARN)
    vsnprintf(last_warning, sizeof(last_warning), format, arguments);
  return 0;
}

void dc_log_capture(void) { libbpf_set_print(keep); }

void dc_log_take(char *buffer, size_t size) {
  snprintf(buffer, size, "%s", last_warning);
  buffer[strcspn(buffer, "\n")] = 0;
  last_warning[0] = 0;
}
