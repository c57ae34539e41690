/* SPDX-License-Identifier: MIT */
/**
 * Parents before children, where the clock of a trace cannot tell them apart.
 *
 * Calls leave the kernel in the order in which they end: the inner one first. Readers nest spans by microseconds, and
 * of two with the same microseconds they take the first for the outer one. So a call is held back until its thread
 * sends another: if that has the same microseconds and began earlier, it is the parent and goes first.
 *
 * Needed only where calls can contain one another; system calls alone cannot.
 */
#ifndef DATACRUMBS_ORDER_H
#define DATACRUMBS_ORDER_H

#include "encode.h"

#define DC_ORDER_THREADS 1024 /* threads held back at once; more of them give up their place to one another */
#define DC_ORDER_DEPTH 32     /* calls in one another with the same microseconds */
#define DC_ORDER_BYTES 512    /* a longer record is not held back */

struct dc_held {
  size_t size;
  _Alignas(8) unsigned char bytes[DC_ORDER_BYTES];
};

struct dc_order_thread {
  uint32_t tid, count;
  bool fresh;                          /* held something new since the last look */
  struct dc_held held[DC_ORDER_DEPTH]; /* inner ones first */
};

struct dc_order {
  struct dc_encoder *encoder;
  struct dc_order_thread *threads[DC_ORDER_THREADS];
};

void dc_order_init(struct dc_order *order, struct dc_encoder *encoder);

/** Forgets all threads; what is still held is written. */
void dc_order_deinit(struct dc_order *order);

/** A record has come: it is written, or held back until the next of its thread. */
void dc_order_push(struct dc_order *order, const struct dc_record *record, size_t size);

/** Writes what was held already at the last call: nothing waits for long when its thread falls silent. */
void dc_order_age(struct dc_order *order);

/** Writes all that is held. */
void dc_order_flush(struct dc_order *order);

#endif
