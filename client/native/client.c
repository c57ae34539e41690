/* SPDX-License-Identifier: MIT */
#include <datacrumbs/client.h>

#include <datacrumbs/mark.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From `start` on, a region is laid out as its marker. */
#define TEXT_OFFSET (offsetof(struct datacrumbs_region, text) - offsetof(struct datacrumbs_region, start))
_Static_assert(TEXT_OFFSET == sizeof(struct dc_marker_region), "the header and the marker agree");
_Static_assert(sizeof(struct datacrumbs_region) - offsetof(struct datacrumbs_region, start) == DC_MARKER_REGION_MAX,
               "a region fills its marker");

void datacrumbs_start(const char *run_id) { dc_mark_start(run_id); }

void datacrumbs_stop(void) { dc_mark_stop(); }

/** How much of a text fits into `most` bytes without cutting a UTF-8 character. */
static size_t fitting(const char *text, size_t most) {
  size_t size = strnlen(text, most + 1);
  if (size <= most)
    return size;
  for (size = most; size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80;)
    size--;
  return size;
}

void datacrumbs_region_begin(struct datacrumbs_region *region, const char *name) {
  size_t size = name ? fitting(name, sizeof(region->text) - 1) : 0;
  memcpy(region->text, name ? name : "", size);
  region->text[size] = '\0';
  region->size = TEXT_OFFSET + size + 1;
  region->start = dc_now();
}

/** Members of a line's args that readers take for what the tracer says: a region cannot have them. */
static int is_reserved(const char *key) {
  static const char *const names[] = {"hhash", "fhash",   "fhash2", "fname", "dur_ns",
                                      "ts_ns", "profile", "cause",  "thread"};
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
    if (!strcmp(key, names[i]))
      return 1;
  return 0;
}

/** Adds `key\0<type>value\0`, or nothing. A size out of bounds means that nobody opened the region. */
static void append(struct datacrumbs_region *region, const char *key, char type, const char *value) {
  if (region->size < TEXT_OFFSET || region->size > DC_MARKER_REGION_MAX || is_reserved(key))
    return;
  size_t room = DC_MARKER_REGION_MAX - region->size;
  size_t key_size = strnlen(key, room) + 1, value_size = strnlen(value, room) + 1;
  if (key_size + 1 + value_size > room)
    return;
  char *end = region->text + region->size - TEXT_OFFSET;
  memcpy(end, key, key_size);
  end[key_size] = type;
  memcpy(end + key_size + 1, value, value_size);
  region->size += key_size + 1 + value_size;
}

void datacrumbs_region_text(struct datacrumbs_region *region, const char *key, const char *value) {
  append(region, key ? key : "", 's', value ? value : "");
}

void datacrumbs_region_integer(struct datacrumbs_region *region, const char *key, long long value) {
  char digits[24];
  snprintf(digits, sizeof(digits), "%lld", value);
  append(region, key ? key : "", 'n', digits);
}

/** Makes the locale's decimal separator, which may have several bytes, the full stop that JSON wants. */
static void use_full_stop(char *digits) {
  char *to = digits;
  for (const char *from = digits; *from; from++) {
    if (strchr("0123456789+-e", *from))
      *to++ = *from;
    else if (to == digits || to[-1] != '.')
      *to++ = '.';
  }
  *to = '\0';
}

void datacrumbs_region_number(struct datacrumbs_region *region, const char *key, double value) {
  int saved = errno;
  char digits[48];
  /* The fewest digits that say exactly this number. */
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof(digits), "%.*g", precision, value);
    if (strtod(digits, NULL) == value)
      break;
  }
  errno = saved;
  if (__builtin_isfinite(value)) {
    use_full_stop(digits);
    append(region, key ? key : "", 'n', digits);
  } else {
    append(region, key ? key : "", 's', digits); /* JSON has no word for it */
  }
}

void datacrumbs_region_end(const struct datacrumbs_region *region) {
  dc_mark(DC_MARKER_REGION, (unsigned long long)(size_t)&region->start, region->size);
}
