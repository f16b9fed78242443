const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `850 ms`, `12 s`, `3 min`, `2 h 5 min`, `4 d 3 h`: as exact as it matters. Never negative: clocks of two processes may differ. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return 'unknown'
  const span = Math.max(0, ms)
  if (span < SECOND) return `${Math.round(span)} ms`
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`
  if (span < HOUR) return `${Math.floor(span / MINUTE)} min`
  return span < DAY ? two(span, HOUR, 'h', MINUTE, 'min') : two(span, DAY, 'd', HOUR, 'h')
}

function two(span: number, large: number, name: string, small: number, smallName: string): string {
  const rest = Math.floor((span % large) / small)
  return `${Math.floor(span / large)} ${name}${rest === 0 ? '' : ` ${rest} ${smallName}`}`
}

/** How long before `atMs` an ISO 8601 time was; `never` for none. */
export function since(time: string | null, atMs: number): string {
  return time === null ? 'never' : duration(atMs - Date.parse(time))
}

/** The same as a point in time: `3 min ago`. */
export const ago = (time: string | null, atMs: number): string => (time === null ? 'never' : `${since(time, atMs)} ago`)

/** How long after `atMs` it is: `in 23 h`, or `overdue`. */
export function until(time: string | null, atMs: number): string {
  if (time === null) return 'never'
  const ms = Date.parse(time) - atMs
  return ms < 0 ? `${duration(-ms)} overdue` : `in ${duration(ms)}`
}

/** A round trip or the like, in milliseconds: `0.31 ms`, `12 ms`. */
export function milliseconds(ms: number | null): string {
  if (ms === null) return '–'
  return `${ms < 10 ? Number(ms.toPrecision(2)) : Math.round(ms)} ms`
}

/** `1 peer`, `10000 peers`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`
