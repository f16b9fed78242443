/** What notable things there are: docs/events.md says when each happens, and with which keys. They stay; new ones may come. */
export const EVENT_KINDS = [
  'agent-started',
  'agent-stopped',
  'condition-failed',
  'condition-held',
  'configuration-read',
  'configuration-changed',
  'configuration-waits',
  'device-changed',
  'entries-restored',
  'entry-refused',
  'firewall-changed',
  'lease-acquired',
  'lease-changed',
  'lease-lost',
  'leases-lost',
  'lease-rejected',
  'leases-rejected',
  'peer-changed',
  'peer-joined',
  'peer-left',
  'peers-changed',
  'reach-changed',
] as const

export type EventKind = (typeof EVENT_KINDS)[number]

/** What a program is told of an event beside the fields of its line. */
export type EventFields = Readonly<Record<string, string | number | boolean | undefined>> & { readonly kind: EventKind }
