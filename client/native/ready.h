/* SPDX-License-Identifier: MIT */
/**
 * Whether a runtime listens: each writes `<run_dir>/datacrumbs-<run-id>.ready` once it is attached.
 *
 * The file is read as a hint, never as a command. Whatever in it is not as expected makes it count as absent.
 */
#ifndef DATACRUMBS_READY_H
#define DATACRUMBS_READY_H

#include <stdbool.h>
#include <sys/types.h>

/** Whether a live runtime follows processes of the (effective) user `uid`. `run_id`: only this run counts; NULL or "":
 * any. */
bool dc_ready(const char *run_dir, const char *run_id, uid_t uid);

#endif
