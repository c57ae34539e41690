"""A cluster of real nodes on one machine: systemd boots in each, Slurm runs real jobs, and all share this kernel.

    with opened(checkout, count=3) as cluster:      # cluster.py: layers, network, nodes, Slurm; idle when it begins
        cluster.nodes[0].run("sinfo")               # node.py: a command in a node, as root or as a user
        cluster.nodes[2].power_off()                # at once, as a power cut; boot() brings it back

What a node is: systemd-nspawn on an overlay of this machine's own `/`, with a layer that adds Slurm (layers.py, kept in
/var/cache) and one with DataCrumbs as `make install` leaves it. Nothing of this machine is changed.

Everything lives in one *world* (world.py): a process-id, mount and network namespace of the cluster's own, whose first
process dies with us. So the kernel takes all of it down, whatever ends us: processes, mounts, bridge, memory. Only
control groups outlast their processes; they are removed at the end, and a later start sweeps what a killed one left.
"""
