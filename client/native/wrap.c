/* SPDX-License-Identifier: MIT */
/**
 * datacrumbs_wrap: runs a command under tracing.
 *
 * It tags itself and becomes the command, which inherits the tag, and so does all that the command starts: static
 * programs too. LD_PRELOAD goes along for processes that are started elsewhere with this environment, as by a launcher.
 * Whatever is wrong with the tracing, the command runs.
 */
#include "preload.h"
#include "ready.h"
#include "search.h"
#include <datacrumbs/mark.h>

#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "datacrumbs_wrap"
#define RUN_DIR "/run/datacrumbs"

enum { EXIT_USAGE = 64, EXIT_CANNOT = 126, EXIT_MISSING = 127, POLL_NS = 20000000 };

static const char help[] =
    "usage: " PROGRAM " [--wait[=SECONDS]] [--run-id ID] [--quiet] COMMAND [ARGUMENT…]\n"
    "\n"
    "Runs COMMAND so that a runtime of DataCrumbs follows it, with all that it starts.\n"
    "Without such a runtime it runs all the same, untraced.\n"
    "\n"
    "options:\n"
    "  --wait[=SECONDS]  first wait until a runtime is ready: for good, or for so long\n"
    "  --run-id ID       be followed by this run only (default: $DATACRUMBS_RUN_ID, else any of yours)\n"
    "  --quiet           do not tell when nobody listens\n"
    "  -h, --help        this text\n"
    "\n"
    "environment:\n"
    "  DATACRUMBS_RUN_ID, DATACRUMBS_RUN_DIR (default " RUN_DIR "), DATACRUMBS_DISABLE=1 (run it untraced)\n"
    "\n"
    "exit status: the command's own; 126 it cannot be started, 127 it is not found, 64 wrong usage\n"
    "\n"
    "example:\n"
    "  " PROGRAM " --wait=10 dd if=/dev/zero of=/tmp/out.bin bs=1M count=1 status=none\n";

struct options {
  const char *run_id;
  double wait_seconds; /* 0: do not wait */
  bool quiet;
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  va_list values;
  va_start(values, format);
  fputs(PROGRAM ": ", stderr);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  va_end(values);
}

static int usage(const char *what, const char *of) {
  say("error: %s%s; see '" PROGRAM " --help' [user]", what, of);
  return EXIT_USAGE;
}

static bool parse_seconds(const char *text, double *seconds) {
  char *end = NULL;
  *seconds = strtod(text, &end);
  return *text >= '0' && *text <= '9' && !*end && isfinite(*seconds);
}

/** What a runtime accepts as its RUN-ID: a typing mistake shall not look like a run that is not ready. */
static bool is_run_id(const char *text) {
  size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+=@-");
  return length > 0 && length <= 128 && !text[length];
}

/** Returns an exit code when there is nothing left to do, else -1, and leaves `optind` at the command. */
static int parse_options(int count, char *arguments[], struct options *options) {
  static const struct option known[] = {
      {"wait", optional_argument, NULL, 'w'},
      {"run-id", required_argument, NULL, 'r'},
      {"quiet", no_argument, NULL, 'q'},
      {"help", no_argument, NULL, 'h'},
      {0},
  };
  opterr = 0;
  int option;
  while ((option = getopt_long(count, arguments, "+:h", known, NULL)) != -1) { /* '+': the rest is the command's */
    switch (option) {
    case 'w':
      options->wait_seconds = INFINITY;
      if (optarg && !parse_seconds(optarg, &options->wait_seconds))
        return usage("--wait takes a number of seconds, not ", optarg);
      break;
    case 'r':
      if (!is_run_id(optarg))
        return usage("--run-id takes 1 to 128 letters, digits and _.+=@-, not ", *optarg ? optarg : "nothing");
      options->run_id = optarg;
      break;
    case 'q':
      options->quiet = true;
      break;
    case 'h':
      fputs(help, stdout);
      return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
    case ':':
      return usage("a value is missing after ", arguments[optind - 1]);
    default:
      return usage("unknown or ambiguous option ", arguments[optind - 1]);
    }
  }
  return optind < count ? -1 : usage("no command to run", "");
}

/** Waits for a runtime when that was asked for, and tells once when there is none. */
static void find_runtime(const struct options *options) {
  const char *run_dir = getenv("DATACRUMBS_RUN_DIR");
  if (!run_dir || !*run_dir)
    run_dir = RUN_DIR;
  bool ready = dc_ready(run_dir, options->run_id, geteuid());
  if (!ready && options->wait_seconds > 0 && !options->quiet)
    say("waiting until a runtime of yours is ready");
  unsigned long long start = dc_now();
  while (!ready && (double)(dc_now() - start) < options->wait_seconds * 1e9) {
    nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    ready = dc_ready(run_dir, options->run_id, geteuid());
  }
  if (!ready && !options->quiet)
    say("no runtime of yours is ready%s%s: running untraced; start one, or wait for it with --wait",
        options->run_id ? " for run " : "", options->run_id ? options->run_id : "");
}

/** Lets processes that get this environment join by themselves. */
static void join_environment(const struct options *options) {
  char library[PATH_MAX];
  int error = dc_library_find(library) ? dc_library_preload(library) : ENOENT;
  if (options->run_id && setenv("DATACRUMBS_RUN_ID", options->run_id, 1))
    error = ENOMEM;
  if (!error || options->quiet)
    return;
  if (error == ENOENT)
    say("libdatacrumbs_client.so is not found: only the command and what it starts itself are followed");
  else if (error == EINVAL)
    say("%s cannot be preloaded, as its path holds a space, ':' or '$': only the command and what it starts itself "
        "are followed",
        library);
  else
    say("the environment has no room: only the command and what it starts itself are followed");
}

static int cannot_run(const char *command, int error) {
  if (error == ENOENT || error == ENOTDIR)
    say("error: %s: not found; check the name, and PATH [user]", command);
  else
    say("error: cannot run %s: %s; check the file and its permissions [user]", command, strerror(error));
  return error == ENOENT || error == ENOTDIR ? EXIT_MISSING : EXIT_CANNOT;
}

int main(int count, char *arguments[]) {
  struct options options = {.run_id = getenv("DATACRUMBS_RUN_ID")};
  if (options.run_id && !*options.run_id)
    options.run_id = NULL;
  int done = parse_options(count, arguments, &options);
  if (done >= 0)
    return done;

  char **command = arguments + optind;
  char path[PATH_MAX];
  int error = dc_search(*command, path);
  if (error)
    return cannot_run(*command, error);

  const char *disable = getenv("DATACRUMBS_DISABLE");
  if (!disable || strcmp(disable, "1") != 0) {
    join_environment(&options);
    find_runtime(&options);
    dc_mark_start(options.run_id); /* last: nothing of our own is in the trace but the exec */
  }
  error = dc_execute(path, command);
  dc_mark_stop();
  return cannot_run(*command, error);
}
