"""The base class of CLI plugins as Flux documents it (flux-cli-plugins(7), 0.77 to 0.88), and the way Flux uses one.

Options get the prefix; `dest` as given is kept; callbacks get a proxy of the parsed arguments.
"""

import argparse
from types import SimpleNamespace


class CLIPlugin:
    def __init__(self, prog, prefix="ex", version=None):
        self.prog = prog.removeprefix("flux ")
        self.prefix = prefix
        self.version = version
        self.options = []

    def add_option(self, name, **kwargs):
        assert name.startswith("--")
        kwargs.setdefault("dest", f"{self.prefix}{name[1:]}".replace("-", "_"))
        self.options.append((f"--{self.prefix}-{name[2:]}", kwargs))

    def preinit(self, args):
        pass

    def modify_jobspec(self, args, jobspec):
        pass

    def validate(self, jobspec):
        pass


def set_tree(tree, key, value):
    """As flux.util.set_treedict: a.b.c=1 makes what is missing on the way."""
    first, _, rest = key.partition(".")
    if rest:
        set_tree(tree.setdefault(first, {}), rest, value)
    else:
        tree[first] = value


def submit(plugin, arguments, setattr_=(), spec=None):
    """Parses options of a plugin and applies them to a jobspec, in Flux's order; returns it as JSON-like data."""
    parser = argparse.ArgumentParser()
    for name, kwargs in plugin.options:
        parser.add_argument(name, **kwargs)
    args = parser.parse_args(arguments)
    jobspec = SimpleNamespace(jobspec=spec if spec is not None else {"attributes": {"system": {}}})
    for key, value in setattr_:
        if not key.startswith("attributes."):
            key = "attributes." + (key if key.startswith(("user.", "system.")) else "system." + key)
        set_tree(jobspec.jobspec, key, value)
    if plugin.prog == "bulksubmit":  # 0.88 hands on an object without the plugins' options
        args = SimpleNamespace(_orig_args=args)
    plugin.preinit(args)
    plugin.modify_jobspec(args, jobspec)
    plugin.validate(jobspec)
    return jobspec.jobspec
