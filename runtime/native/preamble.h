#include "drain.h"
#include "link.h"
#include "log.h"
#include "record.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <datacrumbs/marker.h>
