#include "drain.h"
#include "link.h"
#include "log.h"
#include "record.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <datacrumbs/marker.h>
#include <sys/timex.h>

/* From the build: asking the installed package for its version costs Python 15 ms. */
static const char *const dc_version = DC_VERSION;
