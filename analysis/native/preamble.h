#include "nest.h"
#include "parse.h"
