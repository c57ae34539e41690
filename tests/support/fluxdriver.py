"""Drives a plugin in a process of its own, under the address sanitizer: `python fluxdriver.py LIBRARY < requests`.

A request is a line of JSON: ["call", TOPIC, ARGUMENTS], ["events"], ["shell", INFO], ["setenv", NAME, VALUE],
["getenv", NAME], ["name"], ["log"], ["ends", SECONDS]. Each is answered by a line; the last line says what was not
given back.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys


def main() -> None:
    """Answers requests until stdin ends."""
    fake = ctypes.CDLL(sys.argv[1])
    fake.fake_create.restype = ctypes.c_void_p
    fake.fake_destroy.restype = ctypes.c_long
    for function in (fake.fake_error, fake.fake_name, fake.fake_log, fake.flux_shell_getenv):
        function.restype = ctypes.c_char_p
    plugin = ctypes.c_void_p(fake.fake_create())
    assert plugin
    for line in sys.stdin:
        kind, *rest = json.loads(line)
        answer: object = None
        if kind == "call":
            code = fake.fake_call(plugin, rest[0].encode(), json.dumps(rest[1]).encode())
            answer = [code, fake.fake_error(plugin).decode("ascii")]
        elif kind == "events":
            buffer = ctypes.create_string_buffer(1 << 20)
            size = fake.fake_events(plugin, buffer, len(buffer))
            answer = json.loads(buffer.raw[:size])
        elif kind == "shell":
            answer = fake.fake_shell(plugin, json.dumps(rest[0]).encode())
        elif kind == "setenv":
            answer = fake.flux_shell_setenvf(plugin, 1, rest[0].encode(), b"%s", rest[1].encode())
        elif kind == "getenv":
            value = fake.flux_shell_getenv(plugin, rest[0].encode())
            answer = value and value.decode()
        elif kind == "ends":  # the signal that a job is to end comes in, for which the shell has a handler
            signal.signal(signal.SIGTERM, lambda *_: None)
            subprocess.Popen(["sh", "-c", f"sleep {rest[0]}; kill -TERM {os.getpid()}"], stdout=subprocess.DEVNULL)
        else:
            answer = {"name": fake.fake_name, "log": fake.fake_log}[kind](plugin).decode()
        print(json.dumps(answer), flush=True)
    print(fake.fake_destroy(plugin))


if __name__ == "__main__":
    main()
