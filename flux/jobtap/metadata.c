/* SPDX-License-Identifier: MIT */
#include "metadata.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MOST_SHOWN 48 /* bytes of the user's own text in a message, with the NUL */

static const char spaces[] = " \t\n\r\f\v";
static const char *const words_on[] = {"yes", "true", "on", "1", "y", NULL};
static const char *const words_off[] = {"no", "false", "off", "0", "n", "", NULL};

__attribute__((format(printf, 2, 3))) static enum dc_wanted wrong(char why[static DC_WHY_SIZE], const char *format,
                                                                  ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(why, DC_WHY_SIZE, format, values);
  va_end(values);
  return DC_WRONG;
}

void dc_printable(char *to, size_t size, const char *text) {
  size_t used = 0;
  for (; *text && used + 4 < size; text++)
    to[used++] = *text >= ' ' && *text <= '~' ? *text : '?';
  strcpy(to + used, *text ? "..." : "");
}

static bool is_one_of(const char *word, size_t length, const char *const words[]) {
  for (; *words; words++)
    if (strlen(*words) == length && strncasecmp(word, *words, length) == 0)
      return true;
  return false;
}

static enum dc_wanted read_enable(const json_t *enable, char why[static DC_WHY_SIZE]) {
  if (json_is_true(enable))
    return DC_ON;
  if (json_is_false(enable) || json_is_null(enable))
    return DC_OFF;
  if (json_is_integer(enable) && (json_integer_value(enable) == 0 || json_integer_value(enable) == 1))
    return json_integer_value(enable) ? DC_ON : DC_OFF;
  if (json_is_string(enable)) {
    const char *word = json_string_value(enable);
    word += strspn(word, spaces);
    size_t length = strlen(word);
    while (length && strchr(spaces, word[length - 1]))
      length--;
    if (is_one_of(word, length, words_on))
      return DC_ON;
    if (is_one_of(word, length, words_off))
      return DC_OFF;
    char shown[MOST_SHOWN];
    dc_printable(shown, sizeof(shown), word);
    return wrong(why, "datacrumbs.enable is '%s', neither yes nor no; write datacrumbs.enable=yes", shown);
  }
  return wrong(why, "datacrumbs.enable is neither yes nor no; write datacrumbs.enable=yes");
}

/** C0, DEL, and C1 as UTF-8 has it: what a terminal or a log would obey instead of showing it. */
static bool holds_controls(const char *text) {
  const unsigned char *byte = (const unsigned char *)text;
  for (; *byte; byte++)
    if (*byte < ' ' || *byte == 0x7f || (*byte == 0xc2 && byte[1] >= 0x80 && byte[1] < 0xa0))
      return true;
  return false;
}

static enum dc_wanted read_probe_file(const json_t *value, const char **probe_file, char why[static DC_WHY_SIZE]) {
  if (!value)
    return wrong(why,
                 "datacrumbs.probe_file is missing; name the signed file that datacrumbs_probe_configurator wrote");
  if (!json_is_string(value))
    return wrong(why, "datacrumbs.probe_file is not a text; write datacrumbs.probe_file=/abs/path.json.gz");
  const char *path = json_string_value(value);
  if (!*path)
    return wrong(why, "datacrumbs.probe_file is empty; name the file that datacrumbs_probe_configurator wrote");
  if (*path != '/') {
    char shown[MOST_SHOWN];
    dc_printable(shown, sizeof(shown), path);
    return wrong(why, "datacrumbs.probe_file '%s' is not an absolute path; write it out, from / on", shown);
  }
  if (json_string_length(value) >= DC_MAX_PATH)
    return wrong(why, "datacrumbs.probe_file has %d or more bytes; choose a shorter path", DC_MAX_PATH);
  if (json_string_length(value) != strlen(path) || holds_controls(path))
    return wrong(why, "datacrumbs.probe_file holds control characters; rename the file");
  if (probe_file)
    *probe_file = path;
  return DC_ON;
}

/** A key that nobody knows: a typing mistake must not look like a job that is traced. */
static const char *unknown_key(const json_t *wanted) {
  /* json_object_iter takes no const, and changes nothing. */
  json_t *object = (json_t *)(uintptr_t)wanted;
  for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
    const char *key = json_object_iter_key(at);
    if (strcmp(key, "enable") != 0 && strcmp(key, "probe_file") != 0)
      return key;
  }
  return NULL;
}

enum dc_wanted dc_metadata_read(const json_t *jobspec, const char **probe_file, char why[static DC_WHY_SIZE]) {
  /* json_object_get answers NULL for everything that is no object. */
  const json_t *system = json_object_get(json_object_get(jobspec, "attributes"), "system");
  const json_t *wanted = json_object_get(system, "datacrumbs");
  if (!wanted || json_is_null(wanted) || json_is_false(wanted))
    return DC_OFF;
  if (!json_is_object(wanted))
    return wrong(why,
                 "datacrumbs is not a group; write datacrumbs.enable=yes and datacrumbs.probe_file=/abs/path.json.gz");
  if (json_object_get(wanted, "composite") || json_object_get(wanted, "probes"))
    return wrong(why, "datacrumbs.%s is no longer known; name a signed probes file with datacrumbs.probe_file",
                 json_object_get(wanted, "composite") ? "composite" : "probes");
  const json_t *enable = json_object_get(wanted, "enable");
  enum dc_wanted result = enable ? read_enable(enable, why) : DC_ON;
  if (result != DC_ON)
    return result;
  const char *key = unknown_key(wanted);
  if (key) {
    char shown[MOST_SHOWN];
    dc_printable(shown, sizeof(shown), key);
    return wrong(why, "unknown datacrumbs.%s; there are datacrumbs.enable and datacrumbs.probe_file", shown);
  }
  if (!enable)
    return wrong(why, "datacrumbs.enable is missing; write datacrumbs.enable=yes");
  return read_probe_file(json_object_get(wanted, "probe_file"), probe_file, why);
}

int dc_path_below(const char *path, const char *folder) {
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/')
    length--;
  for (const char *part = path; part; part = strchr(part, '/')) {
    part += strspn(part, "/");
    if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2]))
      return 0;
  }
  if (length == 1)
    return 1;
  return strncmp(path, folder, length) == 0 && path[length] == '/';
}
