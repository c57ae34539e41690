/* SPDX-License-Identifier: MIT */
#include "lookup.h"

#include <flux_plugin.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SECONDS 10.
#define NODE_ANY 0xFFFFFFFFU /* flux_rpc(3): FLUX_NODEID_ANY */

typedef struct flux_future flux_future_t;

/** What is used of libflux-core: flux_open(3), flux_rpc(3), flux_future_wait_for(3), flux_job_id_parse(3). */
struct library {
  flux_t *(*open)(const char *uri, int flags);
  void (*close)(flux_t *h);
  flux_future_t *(*rpc_pack)(flux_t *h, const char *topic, uint32_t node, int flags, const char *format, ...);
  int (*rpc_get_unpack)(flux_future_t *f, const char *format, ...);
  int (*wait_for)(flux_future_t *f, double seconds);
  void (*destroy)(flux_future_t *f);
  int (*parse)(const char *text, flux_jobid_t *id);
  int (*encode)(flux_jobid_t id, const char *type, char *buffer, size_t size);
};

__attribute__((format(printf, 2, 3))) static int failed(char why[static DC_LOOKUP_WHY_SIZE], const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(why, DC_LOOKUP_WHY_SIZE, format, values);
  va_end(values);
  return -1;
}

static int load(struct library *library, const char *path, char why[static DC_LOOKUP_WHY_SIZE]) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    handle = dlopen("libflux-core.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return failed(why, "cannot load libflux-core: %s", dlerror());
  struct {
    void **place;
    const char *name;
  } functions[] = {
      {(void **)&library->open, "flux_open"},
      {(void **)&library->close, "flux_close"},
      {(void **)&library->rpc_pack, "flux_rpc_pack"},
      {(void **)&library->rpc_get_unpack, "flux_rpc_get_unpack"},
      {(void **)&library->wait_for, "flux_future_wait_for"},
      {(void **)&library->destroy, "flux_future_destroy"},
      {(void **)&library->parse, "flux_job_id_parse"},
      {(void **)&library->encode, "flux_job_id_encode"},
  };
  for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
    if (!(*functions[i].place = dlsym(handle, functions[i].name)))
      return failed(why, "libflux-core has no %s", functions[i].name);
  return 0;
}

/** The same as `flux job info ID jobspec`: the jobspec as it is now, with what was changed since it was submitted. */
static int ask(const struct library *library, flux_t *h, flux_jobid_t id, json_t **jobspec,
               char why[static DC_LOOKUP_WHY_SIZE]) {
  enum { CURRENT = 2 }; /* RFC 51; job-info.lookup of Flux 0.56 and newer: FLUX_JOB_LOOKUP_CURRENT */
  const char *text = NULL;
  int rc = -1;
  json_error_t error;
  flux_future_t *f = library->rpc_pack(h, "job-info.lookup", NODE_ANY, 0, "{s:I s:[s] s:i}", "id", (json_int_t)id,
                                       "keys", "jobspec", "flags", CURRENT);
  if (!f || library->wait_for(f, SECONDS) < 0 || library->rpc_get_unpack(f, "{s:s}", "jobspec", &text) < 0)
    failed(why, "Flux does not tell the jobspec: %s; is access.allow-root-owner set?", strerror(errno));
  else if (!(*jobspec = json_loads(text, 0, &error)))
    failed(why, "the jobspec is no JSON");
  else
    rc = 0;
  if (f)
    library->destroy(f);
  return rc;
}

int dc_lookup(const char *libflux, const char *id, struct dc_job *job, char why[static DC_LOOKUP_WHY_SIZE]) {
  struct library library = {0};
  flux_jobid_t number;
  *job = (struct dc_job){0};
  if (load(&library, libflux, why))
    return -1;
  if (library.parse(id, &number) < 0 || library.encode(number, "f58plain", job->run_id, sizeof(job->run_id)) < 0)
    return failed(why, "FLUX_JOB_ID is no id of a job");
  flux_t *h = library.open(NULL, 0);
  if (!h)
    return failed(why, "cannot reach Flux: %s", strerror(errno));
  int rc = ask(&library, h, number, &job->jobspec, why);
  library.close(h);
  return rc;
}

void dc_lookup_done(struct dc_job *job) {
  json_decref(job->jobspec);
  job->jobspec = NULL;
}
