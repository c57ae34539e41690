/* SPDX-License-Identifier: MIT */
#include "plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where `make install` puts things; the build says so, and plugstack.conf may say otherwise. */
#ifndef DC_BINDIR
#define DC_BINDIR "/usr/local/bin"
#endif
#ifndef DC_LIBDIR
#define DC_LIBDIR "/usr/local/lib"
#endif

enum { TIMEOUT = 45, MAX_TIMEOUT = 3600 };

static struct dc_request given;

/** One argument of plugstack.conf; false when it is unknown or wrong. */
static bool read_setting(struct dc_settings *settings, const char *argument) {
  const char *value = strchr(argument, '=');
  if (!value)
    return false;
  size_t length = (size_t)(value++ - argument);
  if (strncmp(argument, "helper", length) == 0 && length == 6 && *value == '/')
    settings->helper = value;
  else if (strncmp(argument, "library", length) == 0 && length == 7)
    settings->library = value;
  else if (strncmp(argument, "run_dir", length) == 0 && length == 7 && *value == '/')
    settings->run_dir = value;
  else if (strncmp(argument, "timeout", length) == 0 && length == 7 && atoi(value) > 0 && atoi(value) <= MAX_TIMEOUT)
    settings->timeout = atoi(value);
  else
    return false;
  return true;
}

void dc_settings_read(struct dc_settings *settings, int count, char *arguments[]) {
  *settings = (struct dc_settings){
      .helper = DC_BINDIR "/datacrumbs_node",
      .library = DC_LIBDIR "/libdatacrumbs_client.so",
      .run_dir = "/run/datacrumbs",
      .timeout = TIMEOUT,
  };
  for (int i = 0; i < count; i++)
    if (!read_setting(settings, arguments[i]))
      slurm_error("datacrumbs: plugstack.conf: unknown or wrong argument '%s' is ignored", arguments[i]);
}

static int take_enable(int value, const char *text, int remote) {
  (void)value, (void)text, (void)remote;
  given.enable = true;
  return ESPANK_SUCCESS;
}

/** The text is only kept here: what is wrong with it is told in dc_options_check, and again on each node. */
static int take_probe_file(int value, const char *text, int remote) {
  (void)value, (void)remote;
  if (snprintf(given.probe_file, sizeof(given.probe_file), "%s", text ? text : "") >= (int)sizeof(given.probe_file))
    strcpy(given.probe_file, "(too long)");
  return ESPANK_SUCCESS;
}

static struct spank_option enable_option = {
    .name = "datacrumbs-enable",
    .usage = "trace this job's I/O on each of its nodes",
    .cb = take_enable,
};

static struct spank_option probe_file_option = {
    .name = "datacrumbs-probe-file",
    .arginfo = "FILE",
    .usage = "what to trace: absolute path of a file that datacrumbs_probe_configurator wrote",
    .has_arg = 1,
    .cb = take_probe_file,
};

void dc_options_register(spank_t spank) {
  if (spank_option_register(spank, &enable_option) || spank_option_register(spank, &probe_file_option))
    slurm_error("datacrumbs: its options could not be registered");
}

const struct dc_request *dc_options_given(void) { return &given; }

void dc_options_fetch(spank_t spank, struct dc_request *request) {
  char *text = NULL;
  *request = (struct dc_request){.enable = spank_option_getopt(spank, &enable_option, &text) == ESPANK_SUCCESS};
  text = NULL;
  if (spank_option_getopt(spank, &probe_file_option, &text) == ESPANK_SUCCESS && text)
    snprintf(request->probe_file, sizeof(request->probe_file), "%s", text);
}

/** Why a file cannot be what the configurator wrote; NULL when it looks like it. */
static const char *why_unusable(const char *path) {
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0)
    return strerror(errno);
  struct stat status;
  unsigned char magic[2] = {0};
  const char *why = NULL;
  if (fstat(fd, &status) || !S_ISREG(status.st_mode))
    why = "not a regular file";
  else if (read(fd, magic, sizeof(magic)) != sizeof(magic) || magic[0] != 0x1f || magic[1] != 0x8b)
    why = "not a probes file; name the one that datacrumbs_probe_configurator wrote";
  close(fd);
  return why;
}

/** Tells what is wrong with the options; returns whether nothing is. */
static bool are_right(const struct dc_request *request) {
  const char *path = request->probe_file, *why;
  if (!request->enable)
    slurm_error("datacrumbs: --datacrumbs-probe-file does nothing alone; add --datacrumbs-enable");
  else if (!*path)
    slurm_error("datacrumbs: what to trace is not said; add --datacrumbs-probe-file=/abs/path.json.gz");
  else if (*path != '/')
    slurm_error("datacrumbs: --datacrumbs-probe-file: '%s' is not an absolute path; write the whole path, from / on",
                path);
  else if ((why = why_unusable(path)))
    slurm_error("datacrumbs: --datacrumbs-probe-file: %s: %s", path, why);
  else
    return true;
  return false;
}

void dc_options_check(const struct dc_request *request, bool step) {
  if (!request->enable && !*request->probe_file)
    return;
  /* A step of a job gets the options of its job through the environment; they were checked when it was submitted, and
   * nothing may end a job that runs. */
  bool inside = getenv("SLURM_JOB_ID") != NULL;
  if ((inside && step) || are_right(request) || inside)
    return;
  /* Slurm goes on after an error of a plugin that plugstack.conf calls optional, as ours should be: we are in the
   * process of srun, sbatch or salloc, and nothing is submitted yet. */
  exit(EXIT_FAILURE);
}
