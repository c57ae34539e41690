/* SPDX-License-Identifier: MIT */
/**
 * The client library of DataCrumbs: how a program brings itself under tracing, and names what it is doing.
 *
 * A program that loads libdatacrumbs_client.so is followed from then on, with all its threads and whatever it starts.
 * It needs to call nothing; these functions are for programs that want to choose the moment, or to put regions of their
 * own into the trace:
 *
 *     struct datacrumbs_region region;
 *     datacrumbs_region_begin(&region, "checkpoint");
 *     datacrumbs_region_integer(&region, "step", step);
 *     write_checkpoint();
 *     datacrumbs_region_end(&region);
 *
 * Every function may be called at any time, from any thread, between fork or vfork and exec, and whether or not anybody
 * listens (then it costs well under a microsecond). None fails, allocates, prints, keeps state or changes errno.
 * A NULL text counts as an empty one.
 */
#ifndef DATACRUMBS_CLIENT_H
#define DATACRUMBS_CLIENT_H

#ifdef __cplusplus
extern "C" {
#endif

/** Follow this process from now on. `run_id`: only into this run; NULL or "": into any run of this user. */
void datacrumbs_start(const char *run_id);

/** Stop following this process. Children that are followed already stay so. */
void datacrumbs_stop(void);

/** A region that is open. It is the caller's memory, its content is the library's; it may be copied and dropped. */
struct datacrumbs_region {
  unsigned long long size;
  unsigned long long start;
  char text[1016];
};

/** Opens a region: its time starts now. Regions nest, and may overlap, as their owner likes. */
void datacrumbs_region_begin(struct datacrumbs_region *region, const char *name);

/* Arguments of a region, shown with it in the trace. One that finds no more room in it is left out whole,
 * and so is one by a name that the tracer itself uses (hhash, fhash, fhash2, fname, dur_ns, ts_ns, profile, cause,
 * thread). */
void datacrumbs_region_text(struct datacrumbs_region *region, const char *key, const char *value);
void datacrumbs_region_integer(struct datacrumbs_region *region, const char *key, long long value);
void datacrumbs_region_number(struct datacrumbs_region *region, const char *key, double value);

/** Closes a region and sends it. Dropping a region instead leaves no trace of it. */
void datacrumbs_region_end(const struct datacrumbs_region *region);

#ifdef __cplusplus
}
#endif

#endif
