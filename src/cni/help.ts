export const CNI_HELP = `Usage: CNI_COMMAND=ADD CNI_… flanneld cni <configuration

The CNI plugin flannel. Container runtimes call it, by a link named flannel: with variables
(CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH), the network's configuration on
standard input, and no arguments. It reads the subnet file and has another plugin, bridge unless
the configuration says otherwise, do the work.

Exit code: 0 done; 1 with a CNI error on standard output; 2 for bad usage.
`
