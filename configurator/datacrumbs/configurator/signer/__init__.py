"""The signer: the service on login nodes that alone holds the signing key.

    command   options; makes the key pair on first start
    server    accepts connections, one process for each, bounded in number and time
    request   one conversation: who asks (SO_PEERCRED), what for, the reply
    examine   do the files hold what the selection says? looked at as the user who asks
    policy    may this user have it? /etc/datacrumbs/policy.yaml

Nothing that identifies the user comes from the request. The key is read by the process that is about to sign, after
everything else is checked; the processes that look at users' files never had it.
"""
