/* SPDX-License-Identifier: MIT */
#include "encode_process.h"

#include "line.h"

#include <string.h>
#include <sys/wait.h>

static void put_exit(struct dc_text *line, int code) {
  if (WIFSIGNALED(code)) {
    dc_text_literal(line, ",\"signal\":");
    dc_text_unsigned(line, (uint64_t)WTERMSIG(code));
  } else {
    dc_text_literal(line, ",\"exit\":");
    dc_text_unsigned(line, (uint64_t)WEXITSTATUS(code));
  }
}

/** The arguments of a command line, with spaces between them. */
static void put_command(struct dc_text *line, const struct dc_process *process) {
  size_t size = process->size;
  while (size && !process->command[size - 1])
    size--;
  dc_text_literal(line, ",\"cmd\":\"");
  for (size_t from = 0; from < size;) {
    size_t length = strnlen(process->command + from, size - from);
    dc_text_escaped(line, process->command + from, length);
    from += length + 1;
    if (from <= size)
      dc_text_literal(line, " ");
  }
  dc_text_literal(line, "\"");
}

static void put_comm(struct dc_text *line, const struct dc_process *process) {
  dc_text_escaped(line, process->comm, strnlen(process->comm, sizeof(process->comm)));
}

static void name_process(struct dc_encoder *encoder, const struct dc_process *process) {
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES);
  if (!line)
    return;
  dc_text_literal(line, "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":");
  put_ids(line, &process->head);
  dc_text_literal(line, ",\"args\":{\"name\":\"");
  put_comm(line, process);
  dc_text_literal(line, "\"}}\n");
  dc_sink_line_done(encoder->sink);
}

void dc_encode_process(struct dc_encoder *encoder, const struct dc_process *process) {
  static const char *const names[] = {
      [DC_PROCESS_START] = "start", [DC_PROCESS_EXEC] = "exec", [DC_PROCESS_END] = "end"};
  bool end = process->head.flags == DC_PROCESS_END;
  if (!end)
    name_process(encoder, process);
  uint64_t cwd = process->cwd ? dc_names_find(&encoder->names, process->cwd) : 0;
  struct dc_text *line = dc_sink_line(encoder->sink, LINE_BYTES + DC_MAX_COMMAND * DC_TEXT_ESCAPED);
  if (!line)
    return;
  const char *name = names[process->head.flags];
  dc_text_literal(line, "{\"name\":\"");
  dc_text_bytes(line, name, strlen(name));
  dc_text_literal(line, "\",\"cat\":\"dftracer\",\"ph\":\"X\",\"pid\":");
  put_ids(line, &process->head);
  put_times(line, encoder, process->time, 0);
  put_host(line, encoder);
  put_hash(line, ",\"cwd\":\"", 8, cwd);
  dc_text_literal(line, ",\"ppid\":");
  dc_text_unsigned(line, process->parent);
  dc_text_literal(line, ",\"comm\":\"");
  put_comm(line, process);
  dc_text_literal(line, "\"");
  if (end)
    put_exit(line, process->exit_code);
  else
    put_command(line, process);
  dc_text_literal(line, "}}\n");
  dc_sink_line_done(encoder->sink);
}
