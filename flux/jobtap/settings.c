/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong(char why[static DC_WHY_SIZE], const char *key, const char *hint) {
  char shown[48];
  dc_printable(shown, sizeof(shown), key);
  snprintf(why, DC_WHY_SIZE, "[datacrumbs] %s%s%s", shown, *shown ? ": " : "", hint);
  return -1;
}

static int check_folders(const json_t *folders, const char *key, char why[static DC_WHY_SIZE]) {
  size_t i;
  json_t *folder;
  if (!json_is_array(folders))
    return wrong(why, key, "write an array of absolute paths");
  json_array_foreach(folders, i, folder) {
    const char *path = json_string_value(folder);
    if (!path || *path != '/' || !dc_path_below(path, "/"))
      return wrong(why, key, "write absolute paths without '..'");
  }
  return 0;
}

static int read_cancel(const json_t *value, const char *key, int *cancel, char why[static DC_WHY_SIZE]) {
  const char *word = json_string_value(value);
  *cancel = word && strcmp(word, "cancel") == 0;
  if (!*cancel && (!word || strcmp(word, "continue") != 0))
    return wrong(why, key, "write \"continue\" or \"cancel\"");
  return 0;
}

int dc_settings_read(struct dc_settings *settings, const json_t *configuration, char why[static DC_WHY_SIZE]) {
  json_t *table = json_object_get(configuration, "datacrumbs"), *folders = NULL, *value;
  const char *key;
  int cancel = 0;
  if (table && !json_is_object(table))
    return wrong(why, "", "it is not a table");
  json_object_foreach(table, key, value) {
    if (strcmp(key, "on-failure") == 0) {
      if (read_cancel(value, key, &cancel, why))
        return -1;
    } else if (strcmp(key, "allowed-probe-directories") == 0) {
      if (check_folders(value, key, why))
        return -1;
      folders = value;
    } else {
      return wrong(why, key, "no such key; there are on-failure and allowed-probe-directories");
    }
  }
  json_decref(settings->folders);
  settings->folders = json_incref(folders);
  settings->cancel = cancel;
  settings->wrong[0] = '\0';
  return 0;
}

int dc_settings_allow(const struct dc_settings *settings, const char *probe_file) {
  size_t i;
  json_t *folder;
  if (!settings->folders)
    return 1;
  json_array_foreach(settings->folders, i, folder) {
    if (dc_path_below(probe_file, json_string_value(folder)))
      return 1;
  }
  return 0;
}

void dc_settings_destroy(void *memory) {
  struct dc_settings *settings = memory;
  if (!settings)
    return;
  json_decref(settings->folders);
  free(settings);
}
