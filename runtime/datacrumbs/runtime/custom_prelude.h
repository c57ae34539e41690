/* SPDX-License-Identifier: MIT */
/*
 * What custom probes are compiled with, after a few lines with numbers of the run (providers/custom.py). The layouts
 * are those of record.h and maps.h. Helpers go by their numbers, so that BCC's own declarations are of no concern.
 */
struct datacrumbs_event {
  unsigned char kind, flags;
  unsigned short function;
  unsigned int tid, pid, run;
  unsigned long long start, duration;
  long long result;
  unsigned long long unused[3];
};
struct datacrumbs_thread {
  unsigned int run, pid, tid;
};
struct datacrumbs_run_entry {
  unsigned long long token, min_duration;
  unsigned int uid, ready;
};
static void *(*datacrumbs_lookup)(void *map, const void *key) = (void *)1;
static long (*datacrumbs_update)(void *map, const void *key, const void *value, unsigned long long flags) = (void *)2;
static unsigned long long (*datacrumbs_now)(void) = (void *)5;
static long (*datacrumbs_read_kernel)(void *to, unsigned int size, const void *from) = (void *)113;
static long (*datacrumbs_output)(void *ring, void *data, unsigned long long size,
                                 unsigned long long flags) = (void *)130;
static void *(*datacrumbs_storage)(void *map, void *task, void *value, unsigned long long flags) = (void *)156;
static void *(*datacrumbs_task)(void) = (void *)158;
#define DATACRUMBS_MAP(number) ((void *)bpf_pseudo_fd(1, number))

static inline __attribute__((always_inline)) struct datacrumbs_run_entry *datacrumbs_run(void) {
  unsigned int slot = DATACRUMBS_SLOT;
  struct datacrumbs_run_entry *run = datacrumbs_lookup(DATACRUMBS_MAP(DATACRUMBS_RUNS), &slot);
  return run && run->ready ? run : 0;
}

/** The current thread if the run follows it, else 0: ask this first. */
static inline __attribute__((always_inline)) struct datacrumbs_thread *datacrumbs_followed(void) {
  void *task = datacrumbs_task();
  struct datacrumbs_thread *thread = datacrumbs_storage(DATACRUMBS_MAP(DATACRUMBS_TASKS), task, 0, 0);
  struct datacrumbs_run_entry *run = thread && thread->run == DATACRUMBS_SLOT ? datacrumbs_run() : 0;
  unsigned long long credentials = 0;
  unsigned int user = ~0u;
  if (!run)
    return 0;
  datacrumbs_read_kernel(&credentials, 8, (char *)task + DATACRUMBS_CRED);
  datacrumbs_read_kernel(&user, 4, (void *)(credentials + DATACRUMBS_EUID));
  return user == run->uid ? thread : 0;
}

static inline __attribute__((always_inline)) int datacrumbs_send(struct datacrumbs_thread *thread,
                                                                 struct datacrumbs_event *event,
                                                                 unsigned long long size, unsigned int number,
                                                                 unsigned long long start, long long result) {
  struct datacrumbs_run_entry *run = datacrumbs_run();
  unsigned int slot = DATACRUMBS_SLOT;
  unsigned long long now = datacrumbs_now(), one = 1;
  void *ring = datacrumbs_lookup(DATACRUMBS_MAP(DATACRUMBS_RINGS), &slot);
  if (!run || !ring || number - DATACRUMBS_START_EVENT >= DATACRUMBS_EVENTS || now - start < run->min_duration)
    return 0;
  event->kind = DATACRUMBS_KIND;
  event->flags = 0;
  event->function = number - DATACRUMBS_START_EVENT + DATACRUMBS_FIRST;
  event->tid = thread->tid;
  event->pid = thread->pid;
  event->run = slot;
  event->start = start;
  event->duration = now - start;
  event->result = result;
  if (datacrumbs_output(ring, event, size, 1)) {
    unsigned int key[2] = {slot, event->function};
    unsigned long long *lost = datacrumbs_lookup(DATACRUMBS_MAP(DATACRUMBS_LOST), key);
    if (lost)
      __sync_fetch_and_add(lost, 1);
    else
      datacrumbs_update(DATACRUMBS_MAP(DATACRUMBS_LOST), key, &one, 0);
  }
  return 0;
}

/** Sends an event that is over: a struct whose first member is a struct datacrumbs_event. */
#define DATACRUMBS_SEND(thread, event, number, start, result)                                                          \
  datacrumbs_send(thread, (struct datacrumbs_event *)&(event), sizeof(event), number, start, result)
