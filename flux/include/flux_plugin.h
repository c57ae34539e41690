/* SPDX-License-Identifier: MIT */
/**
 * The part of Flux's plugin interface that the jobtap plugin and the shell plugin use.
 *
 * Written from Flux's manual pages flux-jobtap-plugins(7), flux_plugin_arg_unpack(3) and flux-shell-plugins(7), so that
 * both plugins build where no Flux is installed. The functions are resolved when Flux loads the plugin; the interface
 * is the same since Flux 0.50, and tests/flux builds the plugins once more against the headers of an installed Flux.
 */
#ifndef DATACRUMBS_FLUX_PLUGIN_H
#define DATACRUMBS_FLUX_PLUGIN_H

#ifdef DC_FLUX_HEADERS /* for the test that compares these declarations with Flux's own */
#include <flux/core.h>
#include <flux/jobtap.h>
#define FLUX_SHELL_PLUGIN_NAME "datacrumbs"
#include <flux/shell.h>
#endif

#include <stddef.h>
#include <stdint.h>

typedef struct flux_handle flux_t;
typedef struct flux_plugin flux_plugin_t;
typedef struct flux_plugin_arg flux_plugin_arg_t;
typedef struct flux_shell flux_shell_t;
typedef uint64_t flux_jobid_t;
typedef void (*flux_free_f)(void *memory);
typedef int (*flux_plugin_f)(flux_plugin_t *p, const char *topic, flux_plugin_arg_t *args, void *data);

#ifndef DC_FLUX_HEADERS
struct flux_plugin_handler {
  const char *topic;
  flux_plugin_f cb;
  void *data;
};

enum { FLUX_PLUGIN_ARG_IN = 0 };
enum { FLUX_SHELL_WARN = 4 }; /* as LOG_WARNING; flux-shell-plugins(7) */
#define FLUX_JOBTAP_CURRENT_JOB 0xFFFFFFFFFFFFFFFFULL

/* What a plugin exports. */
int flux_plugin_init(flux_plugin_t *p);
#endif

/* Plugins in general; libflux-core. The formats are jansson's: json_pack(3), json_unpack(3). */
int flux_plugin_register(flux_plugin_t *p, const char *name, const struct flux_plugin_handler handlers[]);
int flux_plugin_aux_set(flux_plugin_t *p, const char *key, void *value, flux_free_f free_fn);
void *flux_plugin_aux_get(flux_plugin_t *p, const char *key);
int flux_plugin_arg_unpack(flux_plugin_arg_t *args, int flags, const char *format, ...);
int flux_job_id_encode(flux_jobid_t id, const char *type, char *buffer, size_t size);
int flux_log(flux_t *h, int level, const char *format, ...);

/* Jobtap plugins; the job manager. */
flux_t *flux_jobtap_get_flux(flux_plugin_t *p);
int flux_jobtap_error(flux_plugin_t *p, flux_plugin_arg_t *args, const char *format, ...);
int flux_jobtap_reject_job(flux_plugin_t *p, flux_plugin_arg_t *args, const char *format, ...);
int flux_jobtap_job_event_posted(flux_plugin_t *p, flux_jobid_t id, const char *name);
int flux_jobtap_event_post_pack(flux_plugin_t *p, flux_jobid_t id, const char *name, const char *format, ...);

/* Shell plugins; the job shell. */
flux_shell_t *flux_plugin_get_shell(flux_plugin_t *p);
int flux_shell_info_unpack(flux_shell_t *shell, const char *format, ...);
const char *flux_shell_getenv(flux_shell_t *shell, const char *name);
void flux_shell_log(const char *component, int level, const char *file, int line, const char *format, ...);
int flux_shell_setenvf(flux_shell_t *shell, int overwrite, const char *name, const char *format, ...);

#endif
