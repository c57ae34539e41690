/* SPDX-License-Identifier: MIT */
/**
 * Which call is inside which: one sweep over each thread's calls in the order of their begins, with a stack.
 *
 * The columns may be larger than memory and lie in files that are mapped: the input is read once from end to end, and
 * all else is gone through thread by thread, so that each page is needed for a short while.
 */
#ifndef DATACRUMBS_NEST_H
#define DATACRUMBS_NEST_H

#include "sort.h"

#define DC_NO_PARENT UINT32_MAX

/** What is known of the calls; in the columns of struct dc_calls. */
struct dc_nest_input {
  size_t size;
  const int64_t *ts, *dur, *ns;
  const uint16_t *sub;
  const uint32_t *function, *thread;
  size_t functions, threads; /* how many there are: all numbers in the two columns are below them */
  const uint8_t *rank;       /* by function: the layer's place, lower layers have higher numbers */
  const uint8_t *flat;       /* by function: 1 where calls of the layer never have calls of the same layer inside */
};

/**
 * All columns have a row for each call, in the order of the sweep: by thread, and outer calls before inner ones. The
 * caller has room for them.
 */
struct dc_nest {
  uint32_t *order;    /* the call's row in the input */
  uint32_t *parent;   /* place in the sweep of the innermost call around it; DC_NO_PARENT */
  uint32_t *last;     /* place in the sweep behind the last call inside it */
  uint32_t *node;     /* its place in the tree of paths */
  int64_t *exclusive; /* nanoseconds in which it is the last begun of its thread's calls that run */
  /* the tree of paths: two calls are the same node where they and all calls around them are of the same functions */
  size_t nodes;
  uint32_t *node_parent; /* DC_NO_PARENT: a root */
  uint32_t *node_function;
};

/**
 * Fills the columns, and makes the tree.
 *
 * @param spans room for half as many again as there are calls; the last third is for calls that are far out of order
 * @return 0 or -ENOMEM
 */
int dc_nest_init(struct dc_nest *nest, const struct dc_nest_input *input, struct dc_span *spans);
void dc_nest_deinit(struct dc_nest *nest);

#endif
