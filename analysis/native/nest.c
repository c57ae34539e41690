/* SPDX-License-Identifier: MIT */
#include "nest.h"

#include "parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/** A call that has begun and may still run. */
struct frame {
  int64_t end;      /* where it ends in the sweep */
  int64_t end_told; /* where it ends by the trace: in a trace of microseconds up to one later */
  int64_t begin_told, length_told;
  uint32_t function;
  uint32_t place;   /* in the sweep */
  uint32_t greater; /* the nearest frame below that ends later; DC_NO_PARENT */
};

struct sweep {
  const struct dc_nest_input *input;
  struct dc_nest *nest;
  struct frame *stack;
  size_t depth, room;
  int64_t now;
  bool exact; /* the thread's begins are known to the nanosecond */
  struct dc_paths *paths;
};

/* The tree of paths: a hash table from a parent's node and a function to a node. */
struct dc_paths {
  uint32_t *slots; /* node + 1 */
  size_t slot_count, room;
};

static size_t path_slot(const struct dc_paths *paths, const struct dc_nest *nest, uint32_t parent, uint32_t function) {
  uint64_t hash = ((uint64_t)parent << 32 | function) * 0x9e3779b97f4a7c15ull;
  size_t at = (hash ^ hash >> 32) & (paths->slot_count - 1);
  while (paths->slots[at] &&
         (nest->node_parent[paths->slots[at] - 1] != parent || nest->node_function[paths->slots[at] - 1] != function))
    at = (at + 1) & (paths->slot_count - 1);
  return at;
}

static bool grow_paths(struct dc_paths *paths, struct dc_nest *nest) {
  if (nest->nodes == paths->room) {
    size_t room = paths->room ? 2 * paths->room : 1024;
    uint32_t *parent = realloc(nest->node_parent, room * sizeof(*parent));
    if (!parent)
      return false;
    nest->node_parent = parent;
    uint32_t *function = realloc(nest->node_function, room * sizeof(*function));
    if (!function)
      return false;
    nest->node_function = function;
    paths->room = room;
  }
  if (2 * nest->nodes < paths->slot_count)
    return true;
  size_t count = paths->slot_count ? 2 * paths->slot_count : 4096;
  uint32_t *slots = calloc(count, sizeof(*slots));
  if (!slots)
    return false;
  free(paths->slots);
  paths->slots = slots;
  paths->slot_count = count;
  for (uint32_t node = 0; node < nest->nodes; node++)
    slots[path_slot(paths, nest, nest->node_parent[node], nest->node_function[node])] = node + 1;
  return true;
}

/** The node of a function inside a node; DC_NO_PARENT when memory is short. */
static uint32_t path_of(struct dc_paths *paths, struct dc_nest *nest, uint32_t parent, uint32_t function) {
  if (!grow_paths(paths, nest))
    return DC_NO_PARENT;
  size_t at = path_slot(paths, nest, parent, function);
  if (!paths->slots[at]) {
    nest->node_parent[nest->nodes] = parent;
    nest->node_function[nest->nodes] = function;
    paths->slots[at] = (uint32_t)++nest->nodes;
  }
  return paths->slots[at] - 1;
}

/** Gives the time until `to` to the calls that are the last begun in it. */
static void advance(struct sweep *sweep, int64_t to) {
  while (sweep->depth && sweep->now < to) {
    const struct frame *top = &sweep->stack[sweep->depth - 1];
    int64_t until = top->end < to ? top->end : to;
    if (until > sweep->now) {
      sweep->nest->exclusive[top->place] += until - sweep->now;
      sweep->now = until;
    }
    if (top->end > to || (top->end == to && sweep->now >= to))
      break; /* what ends right at `to` may still hold a call without length */
    sweep->depth--;
  }
  if (sweep->now < to)
    sweep->now = to;
}

/** Whether a call that begins now is inside a frame, which began no later. */
static bool is_inside(const struct sweep *sweep, const struct frame *frame, const struct dc_span *span) {
  const struct dc_nest_input *input = sweep->input;
  uint8_t rank = input->rank[span->function], outer_rank = input->rank[frame->function];
  bool flat = rank == outer_rank && input->flat[span->function];
  if (span->end > frame->end_told)
    return false;
  if (sweep->exact && span->begin < frame->end_told)
    return true;
  if (flat || span->length > frame->length_told)
    return false;
  if (span->begin < frame->end_told)
    return true;
  /* At the very end of the frame, without length: the layers decide, and of the same two moments the first is outer. */
  return rank > outer_rank || (rank == outer_rank && span->begin == frame->begin_told);
}

/** Takes frames off the stack that are over, or cannot be around the call. */
static void settle(struct sweep *sweep, const struct dc_span *span) {
  advance(sweep, span->begin);
  while (sweep->depth) {
    const struct frame *top = &sweep->stack[sweep->depth - 1];
    if (is_inside(sweep, top, span))
      return;
    if (top->end > sweep->now) {
      /* Rounded to microseconds, a call may seem to begin before the one before it ends, by less than one. */
      if (sweep->exact || top->end + span->length > span->end + 999)
        return;
      advance(sweep, top->end);
    }
    sweep->depth--;
  }
}

static bool push(struct sweep *sweep, const struct dc_span *span, uint32_t place) {
  struct dc_nest *nest = sweep->nest;
  if (sweep->depth == sweep->room) {
    size_t room = sweep->room ? 2 * sweep->room : 256;
    struct frame *stack = realloc(sweep->stack, room * sizeof(*stack));
    if (!stack)
      return false;
    sweep->stack = stack;
    sweep->room = room;
  }
  uint32_t around = sweep->depth ? (uint32_t)sweep->depth - 1 : DC_NO_PARENT;
  while (around != DC_NO_PARENT && !is_inside(sweep, &sweep->stack[around], span))
    around = sweep->stack[around].greater;
  const struct frame *parent = around == DC_NO_PARENT ? NULL : &sweep->stack[around];
  int64_t begin = span->begin > sweep->now ? span->begin : sweep->now;
  int64_t end = span->end;
  if (!sweep->exact && __builtin_add_overflow(begin, span->length, &end))
    end = INT64_MAX - 1;
  if (parent && end > parent->end)
    end = parent->end;
  uint32_t greater = sweep->depth ? (uint32_t)sweep->depth - 1 : DC_NO_PARENT;
  while (greater != DC_NO_PARENT && sweep->stack[greater].end_told < span->end)
    greater = sweep->stack[greater].greater;
  nest->parent[place] = parent ? parent->place : DC_NO_PARENT;
  nest->last[place] = place + 1;
  nest->exclusive[place] = 0;
  nest->node[place] = path_of(sweep->paths, nest, parent ? nest->node[parent->place] : DC_NO_PARENT, span->function);
  sweep->stack[sweep->depth++] =
      (struct frame){end, span->end, span->begin, span->length, span->function, place, greater};
  return nest->node[place] != DC_NO_PARENT;
}

static bool sweep_thread(struct sweep *sweep, const struct dc_span *spans, size_t count, uint32_t first) {
  struct dc_nest *nest = sweep->nest;
  sweep->depth = 0;
  sweep->now = count ? spans[0].begin : 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t place = first + (uint32_t)i;
    nest->order[place] = spans[i].row;
    settle(sweep, &spans[i]);
    if (!push(sweep, &spans[i], place))
      return false;
  }
  advance(sweep, INT64_MAX);
  for (uint32_t place = first + (uint32_t)count; place-- > first;) {
    uint32_t parent = nest->parent[place];
    if (parent != DC_NO_PARENT && nest->last[parent] < nest->last[place])
      nest->last[parent] = nest->last[place];
  }
  return true;
}

/** Where each thread's calls begin, and whether their begins are known to the nanosecond. */
struct threads {
  size_t *starts; /* one more than threads */
  size_t *next;   /* where the next call of each belongs */
  bool *exact;
};

static void threads_deinit(struct threads *threads) {
  free(threads->starts);
  free(threads->next);
  free(threads->exact);
}

static int threads_init(struct threads *threads, const struct dc_nest_input *input) {
  size_t count = input->threads ? input->threads : 1;
  threads->starts = calloc(count + 1, sizeof(*threads->starts));
  threads->next = malloc(count * sizeof(*threads->next));
  threads->exact = malloc(count * sizeof(*threads->exact));
  if (!threads->starts || !threads->next || !threads->exact)
    return -ENOMEM;
  memset(threads->exact, true, count);
  for (size_t i = 0; i < input->size; i++) {
    threads->starts[input->thread[i] + 1]++;
    threads->exact[input->thread[i]] &= input->sub[i] != DC_NO_SUB;
  }
  for (size_t i = 1; i <= count; i++)
    threads->starts[i] += threads->starts[i - 1];
  memcpy(threads->next, threads->starts, count * sizeof(*threads->next));
  return 0;
}

/** Puts all calls where their threads' begin, as spans in nanoseconds. */
static void group(const struct dc_nest_input *input, const struct threads *threads, struct dc_span *spans) {
  for (size_t row = 0; row < input->size; row++) {
    uint32_t thread = input->thread[row];
    bool exact = threads->exact[thread];
    int64_t begin = 1000 * input->ts[row] + (exact ? input->sub[row] : 0);
    int64_t end = begin, length = exact ? input->ns[row] : 1000 * input->dur[row];
    if (__builtin_add_overflow(begin, length, &end))
      end = INT64_MAX - 1;
    spans[threads->next[thread]++] = (struct dc_span){begin, end, input->ns[row], (uint32_t)row, input->function[row]};
  }
}

int dc_nest_init(struct dc_nest *nest, const struct dc_nest_input *input, struct dc_span *spans) {
  struct dc_paths paths = {0};
  struct sweep sweep = {.input = input, .nest = nest, .paths = &paths};
  struct threads threads = {0};
  int rc = -ENOMEM;
  if (input->size >= DC_NO_PARENT || threads_init(&threads, input))
    goto out;
  group(input, &threads, spans);
  for (size_t i = 0; i < input->threads; i++) {
    size_t first = threads.starts[i], count = threads.starts[i + 1] - first;
    sweep.exact = threads.exact[i];
    dc_sort(spans + first, spans + input->size, count);
    if (!sweep_thread(&sweep, spans + first, count, (uint32_t)first))
      goto out;
  }
  rc = 0;
out:
  threads_deinit(&threads);
  free(sweep.stack);
  free(paths.slots);
  if (rc)
    dc_nest_deinit(nest);
  return rc;
}

void dc_nest_deinit(struct dc_nest *nest) {
  free(nest->node_parent);
  free(nest->node_function);
  nest->node_parent = nest->node_function = NULL;
  nest->nodes = 0;
}
