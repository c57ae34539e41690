/* SPDX-License-Identifier: MIT */
/**
 * What a plugin sees of Flux, small: handlers, arguments by jansson's own unpack and pack, as libflux does it, an error
 * text of 160 bytes, an eventlog, a job's environment. tests/unit/flux loads it with one plugin and calls the handlers.
 */
#include <flux_plugin.h>

#include <fnmatch.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_SIZE = 160, MOST_VARIABLES = 16 }; /* flux_error_t holds 160 bytes */

static long live; /* what is taken from the heap and not given back, by the plugin and by jansson */

void *fake_calloc(size_t count, size_t size) {
  live++;
  return calloc(count, size);
}

char *fake_strdup(const char *text) {
  live++;
  return strdup(text);
}

void fake_free(void *memory) {
  live -= memory != NULL;
  free(memory);
}

static void *counted_malloc(size_t size) { return fake_calloc(1, size); }

struct flux_plugin_arg {
  json_t *in;
};

struct flux_plugin {
  const struct flux_plugin_handler *handlers;
  char name[64];
  void *aux;
  flux_free_f aux_free;
  char error[ERROR_SIZE];
  char log[4096];
  json_t *events;
  json_t *info;
  char *environment[MOST_VARIABLES];
};

static flux_plugin_t *current; /* the shell's functions take no plugin */

flux_plugin_t *fake_create(void) {
  json_set_alloc_funcs(counted_malloc, fake_free);
  flux_plugin_t *p = calloc(1, sizeof(*p));
  p->events = json_array();
  current = p;
  return flux_plugin_init(p) < 0 ? NULL : p;
}

/** Returns how much of the heap the plugin did not give back. */
long fake_destroy(flux_plugin_t *p) {
  if (p->aux_free)
    p->aux_free(p->aux);
  json_decref(p->events);
  json_decref(p->info);
  for (int i = 0; i < MOST_VARIABLES; i++)
    free(p->environment[i]);
  free(p);
  return live;
}

/** Calls the handler of a topic with arguments given as JSON; -2 where there is none, -3 where that is no JSON. */
int fake_call(flux_plugin_t *p, const char *topic, const char *arguments) {
  flux_plugin_arg_t args = {.in = json_loads(arguments, 0, NULL)};
  p->error[0] = '\0';
  if (!args.in)
    return -3;
  int result = -2;
  for (const struct flux_plugin_handler *h = p->handlers; h->topic && result == -2; h++)
    if (fnmatch(h->topic, topic, 0) == 0)
      result = h->cb(p, topic, &args, h->data);
  json_decref(args.in);
  return result;
}

const char *fake_name(flux_plugin_t *p) { return p->name; }
const char *fake_error(flux_plugin_t *p) { return p->error; }
const char *fake_log(flux_plugin_t *p) { return p->log; }

size_t fake_events(flux_plugin_t *p, char *text, size_t size) { return json_dumpb(p->events, text, size, 0); }

int flux_plugin_register(flux_plugin_t *p, const char *name, const struct flux_plugin_handler handlers[]) {
  snprintf(p->name, sizeof(p->name), "%s", name);
  p->handlers = handlers;
  return 0;
}

int flux_plugin_aux_set(flux_plugin_t *p, const char *key, void *value, flux_free_f free_fn) {
  (void)key;
  if (p->aux_free)
    p->aux_free(p->aux);
  p->aux = value;
  p->aux_free = free_fn;
  return 0;
}

void *flux_plugin_aux_get(flux_plugin_t *p, const char *key) {
  (void)key;
  return p->aux;
}

int flux_plugin_arg_unpack(flux_plugin_arg_t *args, int flags, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int result = flags == FLUX_PLUGIN_ARG_IN ? json_vunpack_ex(args->in, NULL, 0, format, values) : -1;
  va_end(values);
  return result;
}

static int keep_error(flux_plugin_t *p, const char *format, va_list values) {
  vsnprintf(p->error, sizeof(p->error), format, values);
  return -1;
}

int flux_jobtap_error(flux_plugin_t *p, flux_plugin_arg_t *args, const char *format, ...) {
  (void)args;
  va_list values;
  va_start(values, format);
  int result = keep_error(p, format, values);
  va_end(values);
  return result;
}

int flux_jobtap_reject_job(flux_plugin_t *p, flux_plugin_arg_t *args, const char *format, ...) {
  (void)args;
  va_list values;
  va_start(values, format);
  int result = keep_error(p, format, values);
  va_end(values);
  return result;
}

flux_t *flux_jobtap_get_flux(flux_plugin_t *p) { return (flux_t *)p; }

int flux_log(flux_t *h, int level, const char *format, ...) {
  flux_plugin_t *p = (flux_plugin_t *)h;
  (void)level;
  va_list values;
  va_start(values, format);
  vsnprintf(p->log, sizeof(p->log), format, values);
  va_end(values);
  return 0;
}

int flux_jobtap_job_event_posted(flux_plugin_t *p, flux_jobid_t id, const char *name) {
  size_t i;
  json_t *event;
  if (id != FLUX_JOBTAP_CURRENT_JOB)
    return -1;
  json_array_foreach(p->events, i, event) {
    if (strcmp(json_string_value(json_object_get(event, "name")), name) == 0)
      return 1;
  }
  return 0;
}

int flux_jobtap_event_post_pack(flux_plugin_t *p, flux_jobid_t id, const char *name, const char *format, ...) {
  va_list values;
  va_start(values, format);
  json_t *context = json_vpack_ex(NULL, 0, format, values);
  va_end(values);
  if (id != FLUX_JOBTAP_CURRENT_JOB || !context)
    return -1;
  return json_array_append_new(p->events, json_pack("{s:s s:o}", "name", name, "context", context));
}

int flux_job_id_encode(flux_jobid_t id, const char *type, char *buffer, size_t size) {
  if (strcmp(type, "f58plain") != 0)
    return -1;
  snprintf(buffer, size, "f-%llx", (unsigned long long)id); /* not f58: only who asks for it matters here */
  return 0;
}

/* The shell: what it knows of its job is given as JSON. */
int fake_shell(flux_plugin_t *p, const char *info) {
  json_decref(p->info);
  p->info = json_loads(info, 0, NULL);
  return p->info ? 0 : -1;
}

void flux_shell_log(const char *component, int level, const char *file, int line, const char *format, ...) {
  (void)component, (void)level, (void)file, (void)line;
  va_list values;
  va_start(values, format);
  vsnprintf(current->log, sizeof(current->log), format, values);
  va_end(values);
}

flux_shell_t *flux_plugin_get_shell(flux_plugin_t *p) { return (flux_shell_t *)p; }

int flux_shell_info_unpack(flux_shell_t *shell, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int result = json_vunpack_ex(((flux_plugin_t *)shell)->info, NULL, 0, format, values);
  va_end(values);
  return result;
}

static char **variable(flux_plugin_t *p, const char *name) {
  size_t length = strlen(name);
  char **at = p->environment;
  while (*at && !(strncmp(*at, name, length) == 0 && (*at)[length] == '='))
    at++;
  return at;
}

const char *flux_shell_getenv(flux_shell_t *shell, const char *name) {
  char *entry = *variable((flux_plugin_t *)shell, name);
  return entry ? entry + strlen(name) + 1 : NULL;
}

int flux_shell_setenvf(flux_shell_t *shell, int overwrite, const char *name, const char *format, ...) {
  char **at = variable((flux_plugin_t *)shell, name), *value = NULL, *entry = NULL;
  if (*at && !overwrite)
    return -1;
  va_list values;
  va_start(values, format);
  int failed = vasprintf(&value, format, values) < 0 || asprintf(&entry, "%s=%s", name, value) < 0;
  va_end(values);
  free(value);
  if (failed)
    return -1;
  free(*at); /* after the new value is made: it may be made of the old one */
  *at = entry;
  return 0;
}
