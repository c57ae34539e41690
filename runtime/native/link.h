/* SPDX-License-Identifier: MIT */
/**
 * Links that attach one program to many functions of a file at once: uprobe_multi (kernel commit 89ae89f53d20, 6.6) and
 * its sessions (6.13). Made with bpf(2) itself, so that an older libbpf will do.
 */
#ifndef DATACRUMBS_LINK_H
#define DATACRUMBS_LINK_H

#include <stdbool.h>
#include <stddef.h>

/** Attach types of the kernel's enum bpf_attach_type. */
#define DC_KPROBE_MULTI 42
#define DC_KPROBE_SESSION 56
#define DC_UPROBE_MULTI 48
#define DC_UPROBE_SESSION 57

/**
 * Attaches `program` to `count` places of the file at `path`.
 *
 * offsets: file offsets in bytes; cookies: one for each; type: one of the attach types above, as the program was loaded
 * with; returns: at the functions' returns instead of their entries (not for sessions).
 * Returns a descriptor that detaches all when it is closed, or -errno.
 */
int dc_link_functions(int program, unsigned type, const char *path, const unsigned long *offsets,
                      const unsigned long long *cookies, size_t count, bool returns);

/** The same for USDT probes: `semaphores` are file offsets, 0 where there is none; NULL for none at all. */
int dc_link_marks(int program, unsigned type, const char *path, const unsigned long *offsets,
                  const unsigned long *semaphores, const unsigned long long *cookies, size_t count, bool returns);

/**
 * Attaches `program` to `count` kernel functions: kprobe_multi (kernel commit 0dcac2725406, 5.18) and its sessions
 * (6.10).
 *
 * addresses: where they begin; the others as above.
 */
int dc_link_kernel_functions(int program, unsigned type, const unsigned long long *addresses,
                             const unsigned long long *cookies, size_t count, bool returns);

/** Attaches `program` to a tracepoint. cookie: 0 for none (kernels before 6.10 know none). Returns as above. */
int dc_link_tracepoint(int program, const char *name, unsigned long long cookie);

#endif
