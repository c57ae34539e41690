/* SPDX-License-Identifier: MIT */
#include "order.h"

#include <stdlib.h>

void dc_order_init(struct dc_order *order, struct dc_encoder *encoder) {
  *order = (struct dc_order){.encoder = encoder};
}

static void flush_thread(struct dc_order *order, struct dc_order_thread *thread) {
  while (thread->count) {
    const struct dc_held *held = &thread->held[--thread->count];
    dc_encode(order->encoder, (const struct dc_record *)held->bytes, held->size);
  }
}

void dc_order_age(struct dc_order *order) {
  for (size_t i = 0; i < DC_ORDER_THREADS; i++) {
    struct dc_order_thread *thread = order->threads[i];
    if (thread && !thread->fresh)
      flush_thread(order, thread);
    if (thread)
      thread->fresh = false;
  }
}

void dc_order_flush(struct dc_order *order) {
  for (size_t i = 0; i < DC_ORDER_THREADS; i++)
    if (order->threads[i])
      flush_thread(order, order->threads[i]);
}

void dc_order_deinit(struct dc_order *order) {
  dc_order_flush(order);
  for (size_t i = 0; i < DC_ORDER_THREADS; i++)
    free(order->threads[i]);
}

/** The place of a record's thread; whoever had it before is written first. NULL when memory is short. */
static struct dc_order_thread *place_of(struct dc_order *order, uint32_t tid) {
  struct dc_order_thread **place = &order->threads[tid % DC_ORDER_THREADS];
  if (!*place)
    *place = calloc(1, sizeof(**place));
  if (*place && (*place)->tid != tid) {
    flush_thread(order, *place);
    (*place)->tid = tid;
  }
  return *place;
}

/** Whether both show the same microseconds and `outer` began first. */
static bool contains(const struct dc_encoder *encoder, const struct dc_record *outer, const struct dc_record *inner) {
  uint64_t outer_start, outer_end, inner_start, inner_end;
  if (!dc_record_span(outer, &outer_start, &outer_end) || !dc_record_span(inner, &inner_start, &inner_end))
    return false;
  return (encoder->epoch + outer_start) / 1000 == (encoder->epoch + inner_start) / 1000 &&
         (encoder->epoch + outer_end) / 1000 == (encoder->epoch + inner_end) / 1000 && outer_start <= inner_start &&
         outer_end >= inner_end;
}

void dc_order_push(struct dc_order *order, const struct dc_record *record, size_t size) {
  uint64_t start, end;
  bool span = size >= sizeof(struct dc_call) && dc_record_span(record, &start, &end);
  if (span && record->kind != DC_REGION && record->flags & DC_CAUSES)
    span = false; /* on a lane of its own, not among its thread's spans */
  struct dc_order_thread *thread = span ? place_of(order, record->tid) : NULL;
  if (!thread) {
    dc_encode(order->encoder, record, size);
    return;
  }
  const struct dc_held *last = thread->count ? &thread->held[thread->count - 1] : NULL;
  bool parent = last && contains(order->encoder, record, (const struct dc_record *)last->bytes);
  if (last && (!parent || thread->count == DC_ORDER_DEPTH || size > DC_ORDER_BYTES)) {
    if (parent)
      dc_encode(order->encoder, record, size);
    flush_thread(order, thread);
    if (parent)
      return;
  }
  if (size > DC_ORDER_BYTES) {
    dc_encode(order->encoder, record, size);
    return;
  }
  struct dc_held *held = &thread->held[thread->count++];
  held->size = size;
  memcpy(held->bytes, record, size);
  thread->fresh = true;
}
