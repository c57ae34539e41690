# SPDX-License-Identifier: MIT
"""The options --datacrumbs-enable and --datacrumbs-probe-file of Flux's submission commands.

Flux loads this file by itself, with its own Python, on every submission and once in the job validator of the instance:
it needs nothing but the standard library, does nothing when it is imported, does next to nothing for jobs that ask for
no trace, and raises nothing but ValueError, since anything else would end the validator. The rules for the attributes
are those of the jobtap plugin (flux/jobtap/metadata.c), which has the last word.

Python 3.6 and newer, as Flux.
"""

import os
import sys

from flux.cli.plugin import CLIPlugin

_ON = ("yes", "true", "on", "1", "y")
_OFF = ("no", "false", "off", "0", "n", "")
_WRITE = "write datacrumbs.enable=yes and datacrumbs.probe_file=/abs/path.json.gz"
_MOST_BYTES = 4096
_MOST_SHOWN = 47  # of the user's own text in a message, which Flux cuts to 159 bytes


class DataCrumbsPlugin(CLIPlugin):
    """Trace the I/O of a job with DataCrumbs.

    --datacrumbs-enable                 trace this job on all of its nodes
    --datacrumbs-probe-file=FILE        what to trace: a signed file from datacrumbs_probe_configurator

    Both are needed. They are the same as --setattr=datacrumbs.enable=yes and --setattr=datacrumbs.probe_file=FILE.
    Put them on what the system's Flux runs: with `flux batch` and `flux alloc` the whole batch job is traced, and
    `flux run` inside of it needs no option.

    A job runs also when it cannot be traced; then an exception of type "datacrumbs" in its eventlog says why.
    datacrumbs_analyze answers from the traces.
    """

    def __init__(self, prog):
        super().__init__(prog, prefix="datacrumbs")
        self.add_option(
            "--enable",
            action="store_true",
            dest="datacrumbs_enable",
            help="Trace the job's I/O with DataCrumbs; see --help=datacrumbs-enable",
        )
        self.add_option(
            "--probe-file",
            metavar="FILE",
            dest="datacrumbs_probe_file",
            help="Signed file that says what DataCrumbs traces",
        )

    def modify_jobspec(self, args, jobspec):
        """On the client: puts the options into the jobspec, and makes what --setattr put there exact."""
        try:
            attributes = _attributes(jobspec)
            path = _option(args, "datacrumbs_probe_file")
            enable = bool(_option(args, "datacrumbs_enable"))
            if enable or path is not None:
                _set_options(attributes, path, enable)
            _warn_misplaced(attributes)
            wanted = _wanted(attributes)
            if not isinstance(wanted, dict):
                _check(wanted)
                return
            probe_file = wanted.get("probe_file")
            if isinstance(probe_file, str) and probe_file:
                wanted["probe_file"] = os.path.abspath(os.path.expanduser(probe_file))
            if _check(wanted):
                wanted["enable"] = "yes"
                _warn_unreadable(wanted["probe_file"])
                _warn_nested()
        except ValueError:
            raise
        except Exception as error:  # whatever it is: a submission must end with a message, not with a traceback
            raise _wrong(f"unexpected {type(error).__name__}: {error}") from error

    def validate(self, jobspec):
        """On the client and in the instance's job validator: refuses what could not be followed."""
        try:
            _check(_wanted(_attributes(jobspec)))
        except ValueError:
            raise
        except Exception as error:
            raise _wrong(f"unexpected {type(error).__name__}: {error}") from error


def _option(args, name):
    """An option's value. bulksubmit of Flux 0.88 hands plugins a copy without their options, and the original in it."""
    if hasattr(args, name):
        return getattr(args, name)
    return getattr(getattr(args, "_orig_args", None), name, None)


def _attributes(jobspec):
    """The attributes of a jobspec, which may be an object of Flux's or what JSON held; {} for anything odd."""
    document = getattr(jobspec, "jobspec", jobspec)
    attributes = document.get("attributes") if isinstance(document, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _wanted(attributes):
    system = attributes.get("system")
    return system.get("datacrumbs") if isinstance(system, dict) else None


def _set_options(attributes, path, enable):
    wanted = attributes.setdefault("system", {}).setdefault("datacrumbs", {})
    if not isinstance(wanted, dict):
        raise _wrong("options and --setattr=datacrumbs contradict each other; use the options alone")
    if path is not None:
        wanted["probe_file"] = path
    if enable:
        wanted["enable"] = "yes"


def _check(wanted):
    """Whether a trace is asked for; ValueError says what is wrong with how."""
    if wanted is None or wanted is False:
        return False
    if not isinstance(wanted, dict):
        raise _wrong("datacrumbs is not a group; " + _WRITE)
    for old in ("composite", "probes"):
        if old in wanted:
            raise _wrong(f"datacrumbs.{old} is no longer known; name a signed probes file with datacrumbs.probe_file")
    if "enable" in wanted and not _is_on(wanted["enable"]):
        return False
    for key in wanted:
        if key not in ("enable", "probe_file"):
            raise _wrong(f"unknown datacrumbs.{_shown(key)}; there are datacrumbs.enable and datacrumbs.probe_file")
    if "enable" not in wanted:
        raise _wrong("datacrumbs.enable is missing; write datacrumbs.enable=yes")
    if "probe_file" not in wanted:
        raise _wrong("datacrumbs.probe_file is missing; name the signed file that datacrumbs_probe_configurator wrote")
    _check_path(wanted["probe_file"])
    return True


def _is_on(enable):
    if enable is None:
        return False
    if isinstance(enable, bool) or (isinstance(enable, int) and enable in (0, 1)):
        return bool(enable)
    if not isinstance(enable, str):
        raise _wrong("datacrumbs.enable is neither yes nor no; write datacrumbs.enable=yes")
    word = enable.strip(" \t\n\r\f\v")
    if word.lower() in _ON or word.lower() in _OFF:
        return word.lower() in _ON
    raise _wrong(
        "datacrumbs.enable is '{}', neither yes nor no; write datacrumbs.enable=yes".format(
            _shown(enable.lstrip(" \t\n\r\f\v"))
        )
    )


def _check_path(path):
    if not isinstance(path, str):
        raise _wrong("datacrumbs.probe_file is not a text; write datacrumbs.probe_file=/abs/path.json.gz")
    if not path:
        raise _wrong("datacrumbs.probe_file is empty; name the file that datacrumbs_probe_configurator wrote")
    if not path.startswith("/"):
        raise _wrong(f"datacrumbs.probe_file '{_shown(path)}' is not an absolute path; write it out, from / on")
    if len(path.encode("utf-8", "surrogatepass")) >= _MOST_BYTES:
        raise _wrong("datacrumbs.probe_file has 4096 or more bytes; choose a shorter path")
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in path):
        raise _wrong("datacrumbs.probe_file holds control characters; rename the file")


def _wrong(message):
    return ValueError("datacrumbs: " + message)


def _shown(text):
    """A text of the user's, byte by byte as the jobtap plugin shows it: one line, not too long."""
    data = text.encode("utf-8", "surrogatepass")
    shown = "".join(chr(byte) if 32 <= byte <= 126 else "?" for byte in data[: _MOST_SHOWN - 3])
    return shown + "..." if len(data) > _MOST_SHOWN - 3 else shown


def _warn(message):
    sys.stderr.write(f"datacrumbs: warning: {message}\n")
    sys.stderr.flush()  # flux run goes on by exec, and would take it along


def _warn_misplaced(attributes):
    """--setattr=user.datacrumbs… and --setattr=.datacrumbs… are accepted by Flux, and nobody looks at them."""
    system = attributes.get("system")
    places = [("attributes", attributes), ("attributes.user", attributes.get("user"))]
    if isinstance(system, dict):
        shell = system.get("shell")
        places.append(("attributes.system.", system.get("")))
        places.append(("the shell's options", shell.get("options") if isinstance(shell, dict) else None))
    for name, place in places:
        if isinstance(place, dict) and "datacrumbs" in place:
            _warn(f"'datacrumbs' in {name} has no effect; use --datacrumbs-enable and --datacrumbs-probe-file")


def _warn_unreadable(path):
    if not os.access(path, os.R_OK):
        _warn(f"{_shown(path)} cannot be read here; if the nodes cannot read it either, there will be no trace")


def _warn_nested():
    """Only the system's instance has a prolog that can start a trace."""
    try:
        import flux

        level = int(flux.Flux().attr_get("instance-level"))
    except Exception:  # no instance in reach, as for --dry-run: nothing to warn of
        return
    if level > 0:
        _warn(
            "this Flux instance runs inside a job, where no trace can be started; give the options to the "
            "flux batch or flux alloc that started it: all that runs in it is then traced"
        )
