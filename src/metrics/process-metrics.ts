import type { Definition } from './definition.ts'
import type { Readings } from './readings.ts'

/** Of the process, under the names that Prometheus' own clients give them. */
export const PROCESS_METRICS: readonly Definition<Readings>[] = [
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'User and system processor time of the agent',
    labels: [],
    read: ({ process }) => [{ value: process.cpuSeconds }],
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory of the agent',
    labels: [],
    read: ({ process }) => [{ value: process.residentBytes }],
  },
  {
    name: 'process_virtual_memory_bytes',
    type: 'gauge',
    help: 'Virtual memory of the agent',
    labels: [],
    read: ({ process }) => [{ value: process.virtualBytes }],
  },
  {
    name: 'process_open_fds',
    type: 'gauge',
    help: 'File descriptors that the agent has open',
    labels: [],
    read: ({ process }) => [{ value: process.openFds }],
  },
  {
    name: 'process_max_fds',
    type: 'gauge',
    help: 'File descriptors that the agent may have open',
    labels: [],
    read: ({ process }) => [{ value: process.maxFds }],
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'When the agent was started, as Unix time',
    labels: [],
    read: ({ process }) => [{ value: process.startSeconds }],
  },
]
