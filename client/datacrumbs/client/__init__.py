"""How a process is brought under tracing, and names what it is doing.

From outside: `datacrumbs_wrap COMMAND` (native/wrap.c), or `datacrumbs_track --executable FILE` (track.py), which makes
a program load the client library by itself. From inside: `start` and `stop` tag this process, and `region` puts named
spans into the trace. All of it works through markers (core/include/datacrumbs/marker.h), and does nothing where no
runtime listens.
"""

from datacrumbs.client.regions import region, start, stop

__all__ = ["region", "start", "stop"]
