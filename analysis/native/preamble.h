#include "nest.h"
#include "parse.h"
#include "reduce.h"
#include "span.h"
