/* SPDX-License-Identifier: MIT */
#include "drain.h"

#include "order.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/*
 * Nobody wakes the drain: a wake-up for each record would cost the traced program more than the record itself. It looks
 * every millisecond, and less often the longer nothing comes. At 2 million records/s, the longest pause fills 3 MB.
 */
#define PAUSE_NS 1000000
#define LONGEST_PAUSE_NS 16000000
#define RECORDS_PER_LOOK 8192 /* how often a busy drain looks at the clock */

struct dc_drain {
  struct dc_encoder encoder;
  struct dc_order order;
  struct dc_profile profile;
  struct ring_buffer *ring;
  uint64_t records;
  pthread_t thread;
  bool running;
  atomic_bool stopping;
  pthread_mutex_t lock; /* of stats */
  struct dc_drain_stats stats;
};

static uint64_t monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void publish(struct dc_drain *drain) {
  pthread_mutex_lock(&drain->lock);
  drain->stats.captured = drain->encoder.captured;
  drain->stats.malformed = drain->encoder.malformed;
  drain->stats.unnamed = drain->encoder.names.unnamed;
  drain->stats.overflowed = drain->profile.overflowed;
  drain->stats.profile_error = drain->profile.error;
  dc_sink_read_stats(drain->encoder.sink, &drain->stats.sink);
  pthread_mutex_unlock(&drain->lock);
}

static void tick(struct dc_drain *drain) {
  if (drain->encoder.nested)
    dc_order_age(&drain->order);
  dc_sink_tick(drain->encoder.sink, monotonic(), false);
  publish(drain);
}

static int take_record(void *context, void *data, size_t size) {
  struct dc_drain *drain = context;
  if (drain->encoder.nested)
    dc_order_push(&drain->order, data, size);
  else
    dc_encode(&drain->encoder, data, size);
  if (++drain->records % RECORDS_PER_LOOK == 0)
    tick(drain);
  return 0;
}

struct dc_drain *dc_drain_create(const struct dc_drain_options *options) {
  struct dc_drain *drain = calloc(1, sizeof(*drain));
  if (!drain)
    return NULL;
  pthread_mutex_init(&drain->lock, NULL);
  drain->encoder = (struct dc_encoder){
      .formats = options->formats,
      .format_count = options->format_count,
      .epoch = options->epoch,
      .host = options->host,
      .nested = options->nested,
  };
  dc_order_init(&drain->order, &drain->encoder);
  drain->profile.options.tables = -1;
  if (!dc_names_init(&drain->encoder.names, options->max_files))
    goto fail;
  if (!dc_profile_init(&drain->profile, &options->profile, monotonic()))
    goto fail;
  drain->ring = ring_buffer__new(options->ring, take_record, drain, NULL);
  if (!drain->ring)
    goto fail;
  drain->encoder.sink = dc_sink_create(options->trace);
  if (!drain->encoder.sink)
    goto fail;
  dc_drain_write_line(drain, "[\n", 2);
  return drain;
fail:
  dc_drain_destroy(drain);
  return NULL;
}

void dc_drain_write_line(struct dc_drain *drain, const char *line, size_t size) {
  struct dc_text *text = dc_sink_line(drain->encoder.sink, size);
  if (!text)
    return;
  dc_text_bytes(text, line, size);
  dc_sink_line_done(drain->encoder.sink);
}

/** Ends an interval of the profile. Its files' names are in the ring by the time its tables are swapped. */
static void end_interval(struct dc_drain *drain, uint64_t now) {
  dc_profile_swap(&drain->profile, now);
  ring_buffer__consume(drain->ring);
  dc_profile_write(&drain->profile, &drain->encoder);
}

static void *run(void *context) {
  struct dc_drain *drain = context;
  long pause = PAUSE_NS;
  for (;;) {
    bool last = atomic_load(&drain->stopping);
    bool busy = ring_buffer__consume(drain->ring) > 0;
    uint64_t now = monotonic();
    if (last || dc_profile_is_due(&drain->profile, now))
      end_interval(drain, now);
    tick(drain);
    if (last)
      return NULL;
    pause = busy ? PAUSE_NS : pause * 2 > LONGEST_PAUSE_NS ? LONGEST_PAUSE_NS : pause * 2;
    clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = pause}, NULL);
  }
}

int dc_drain_start(struct dc_drain *drain) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
  int error = pthread_create(&drain->thread, NULL, run, drain);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  drain->running = !error;
  return error;
}

void dc_drain_stop(struct dc_drain *drain) {
  if (!drain->running)
    return;
  atomic_store(&drain->stopping, true);
  pthread_join(drain->thread, NULL);
  drain->running = false;
  dc_order_flush(&drain->order);
  dc_sink_tick(drain->encoder.sink, monotonic(), true);
  publish(drain);
}

void dc_drain_finish(struct dc_drain *drain) {
  dc_sink_finish(drain->encoder.sink);
  publish(drain);
}

void dc_drain_read_stats(struct dc_drain *drain, struct dc_drain_stats *stats) {
  pthread_mutex_lock(&drain->lock);
  *stats = drain->stats;
  pthread_mutex_unlock(&drain->lock);
}

void dc_drain_destroy(struct dc_drain *drain) {
  if (!drain)
    return;
  dc_drain_stop(drain);
  dc_order_deinit(&drain->order);
  ring_buffer__free(drain->ring);
  dc_sink_destroy(drain->encoder.sink);
  dc_profile_deinit(&drain->profile);
  dc_names_deinit(&drain->encoder.names);
  pthread_mutex_destroy(&drain->lock);
  free(drain);
}
