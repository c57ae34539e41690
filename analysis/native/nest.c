/* SPDX-License-Identifier: MIT */
#include "nest.h"

#include "parse.h"
#include "sort.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/** A call that has begun and may still run. */
struct frame {
  int64_t end;      /* where it ends in the sweep */
  int64_t end_told; /* where it ends by the trace: in a trace of microseconds up to one later */
  int64_t begin_told;
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
  uint32_t outer = sweep->nest->order[frame->place];
  uint8_t rank = input->rank[input->function[span->row]], outer_rank = input->rank[input->function[outer]];
  bool flat = rank == outer_rank && input->flat[input->function[span->row]];
  if (span->end > frame->end_told)
    return false;
  if (sweep->exact && span->begin < frame->end_told)
    return true;
  if (flat || input->ns[span->row] > input->ns[outer])
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
      if (sweep->exact || top->end + sweep->input->ns[span->row] > span->end + 999)
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
  if (!sweep->exact && __builtin_add_overflow(begin, sweep->input->ns[span->row], &end))
    end = INT64_MAX - 1;
  if (parent && end > parent->end)
    end = parent->end;
  uint32_t greater = sweep->depth ? (uint32_t)sweep->depth - 1 : DC_NO_PARENT;
  while (greater != DC_NO_PARENT && sweep->stack[greater].end_told < span->end)
    greater = sweep->stack[greater].greater;
  nest->parent[place] = parent ? parent->place : DC_NO_PARENT;
  nest->last[place] = place + 1;
  nest->exclusive[place] = 0;
  nest->node[place] =
      path_of(sweep->paths, nest, parent ? nest->node[parent->place] : DC_NO_PARENT, sweep->input->function[span->row]);
  sweep->stack[sweep->depth++] = (struct frame){end, span->end, span->begin, place, greater};
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

/** Fills `order` with all rows by thread, and `starts` with where each thread begins. */
static void group(const struct dc_nest_input *input, uint32_t *order, size_t *starts) {
  memset(starts, 0, (input->threads + 2) * sizeof(*starts));
  for (size_t i = 0; i < input->size; i++)
    starts[input->thread[i] + 2]++;
  for (size_t i = 2; i < input->threads + 2; i++)
    starts[i] += starts[i - 1];
  for (size_t i = 0; i < input->size; i++)
    order[starts[input->thread[i] + 1]++] = (uint32_t)i;
}

/** A thread's calls as spans in nanoseconds; returns whether their begins are known that well. */
static bool read_spans(const struct dc_nest_input *input, const uint32_t *rows, size_t count, struct dc_span *spans) {
  bool exact = true;
  for (size_t i = 0; i < count && exact; i++)
    exact = input->sub[rows[i]] != DC_NO_SUB;
  for (size_t i = 0; i < count; i++) {
    uint32_t row = rows[i];
    int64_t begin = 1000 * input->ts[row] + (exact ? input->sub[row] : 0);
    int64_t end = begin, length = exact ? input->ns[row] : 1000 * input->dur[row];
    if (__builtin_add_overflow(begin, length, &end))
      end = INT64_MAX - 1;
    spans[i] = (struct dc_span){begin, end, row};
  }
  return exact;
}

struct dc_nest *dc_nest_create(const struct dc_nest_input *input) {
  struct dc_nest *nest = calloc(1, sizeof(*nest));
  struct dc_paths paths = {0};
  struct sweep sweep = {.input = input, .nest = nest, .paths = &paths};
  size_t *starts = malloc((input->threads + 2) * sizeof(*starts));
  struct dc_span *spans = NULL;
  bool done = false;
  if (!nest || !starts || input->size >= DC_NO_PARENT)
    goto out;
  size_t rows = input->size ? input->size : 1;
  nest->order = malloc(rows * sizeof(*nest->order));
  if (!nest->order)
    goto out;
  group(input, nest->order, starts);
  size_t largest = 1;
  for (size_t i = 0; i < input->threads; i++)
    largest = starts[i + 1] - starts[i] > largest ? starts[i + 1] - starts[i] : largest;
  spans = malloc(2 * largest * sizeof(*spans));
  nest->parent = malloc(rows * sizeof(*nest->parent));
  nest->last = malloc(rows * sizeof(*nest->last));
  nest->node = malloc(rows * sizeof(*nest->node));
  nest->exclusive = malloc(rows * sizeof(*nest->exclusive));
  if (!spans || !nest->parent || !nest->last || !nest->node || !nest->exclusive)
    goto out;
  for (size_t i = 0; i < input->threads; i++) {
    size_t count = starts[i + 1] - starts[i];
    sweep.exact = read_spans(input, nest->order + starts[i], count, spans);
    if (!sweep_thread(&sweep, dc_sort(spans, spans + count, count), count, (uint32_t)starts[i]))
      goto out;
  }
  done = true;
out:
  free(starts);
  free(spans);
  free(sweep.stack);
  free(paths.slots);
  if (done)
    return nest;
  dc_nest_destroy(nest);
  return NULL;
}

void dc_nest_destroy(struct dc_nest *nest) {
  if (!nest)
    return;
  free(nest->order);
  free(nest->parent);
  free(nest->last);
  free(nest->node);
  free(nest->exclusive);
  free(nest->node_parent);
  free(nest->node_function);
  free(nest);
}
