"""The configurator: from a host YAML to a signed probes file.

    template.render   @VAR@ placeholders         HOST.yaml -> text
    spec.read         what the user wants        text -> Spec, every mistake with its line
    sources.gather    what this machine has      Spec -> Material (system calls, functions of binaries)
    resolve.resolve   which functions that means Spec + Material -> Resolution (a ProbeSet, and what was left out)
    report            for people                 Resolution -> table or list
    signing.sign      the signer's signature     ProbeSet -> bytes of the probes file

`signer` is the other end of the last step: the service that alone holds the key, and the site's policy.
"""
