/* SPDX-License-Identifier: MIT */
/* A custom probe: system calls that move data, with their descriptor, their size and the path that was opened. */

struct io_event {
  struct datacrumbs_event head;
  int fd;
  unsigned long long size;
  char path[128];
};

struct call {
  u64 start;
  u64 name; /* what open was given */
  int fd;
};

struct descriptor {
  u32 pid;
  int fd;
};

struct path {
  char text[128];
};

BPF_HASH(calls, u64, struct call, 10240);
BPF_HASH(paths, struct descriptor, struct path, 10240);

static __always_inline int begin(int fd, const char *name) {
  u64 id = bpf_get_current_pid_tgid();
  struct call call = {};
  if (!datacrumbs_followed())
    return 0;
  call.name = (u64)name;
  call.fd = fd;
  call.start = bpf_ktime_get_ns();
  calls.update(&id, &call);
  return 0;
}

static __always_inline int end(u32 event, long result) {
  u64 id = bpf_get_current_pid_tgid();
  struct datacrumbs_thread *thread = datacrumbs_followed();
  struct call *call = calls.lookup(&id);
  struct descriptor descriptor = {.pid = id >> 32};
  struct io_event io = {};
  struct path opened = {};
  if (!thread || !call)
    return 0;
  io.fd = call->fd;
  descriptor.fd = call->fd;
  if (call->name && result >= 0) {
    io.fd = descriptor.fd = result;
    bpf_probe_read_user_str(opened.text, sizeof(opened.text), (void *)call->name);
    paths.update(&descriptor, &opened);
  }
  struct path *path = paths.lookup(&descriptor);
  if (path)
    bpf_probe_read_kernel(io.path, sizeof(io.path), path->text);
  if (result > 0 && !call->name)
    io.size = result;
  DATACRUMBS_SEND(thread, io, event, call->start, result);
  calls.delete(&id);
  return 0;
}

TRACEPOINT_PROBE(syscalls, sys_enter_openat) { return begin(-1, args->filename); }
TRACEPOINT_PROBE(syscalls, sys_exit_openat) { return end(100000, args->ret); }
TRACEPOINT_PROBE(syscalls, sys_enter_read) { return begin(args->fd, 0); }
TRACEPOINT_PROBE(syscalls, sys_exit_read) { return end(100001, args->ret); }
TRACEPOINT_PROBE(syscalls, sys_enter_write) { return begin(args->fd, 0); }
TRACEPOINT_PROBE(syscalls, sys_exit_write) { return end(100002, args->ret); }
TRACEPOINT_PROBE(syscalls, sys_enter_close) { return begin(args->fd, 0); }
TRACEPOINT_PROBE(syscalls, sys_exit_close) { return end(100003, args->ret); }
