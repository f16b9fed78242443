/** Where an agent answers that was told nothing else: beside the subnet file, which each agent of a host has for itself. */
export const statusSocketBeside = (subnetFile: string): string => subnetFile.replace(/[^/]*$/, 'flanneld.sock')
