import { InterceptingCall, status, type Interceptor, type Metadata } from '@grpc/grpc-js'

/** etcd3 keeps its calls to itself; an interceptor is the way to cancel one. */
export function cancelledBy(signal: AbortSignal): Interceptor {
  return (options, nextCall) => {
    const call = nextCall(options)
    const cancel = (): void => {
      call.cancelWithStatus(status.CANCELLED, 'aborted')
    }
    return new InterceptingCall(call, {
      start: (metadata, listener, next) => {
        next(metadata, listener)
        signal.addEventListener('abort', cancel, { once: true })
        if (signal.aborted) cancel()
      },
    })
  }
}

/**
 * Shows etcd our token. That it was refused is put into other words: at etcd's own, etcd3 would send the same again, and again.
 */
export function authorizedBy(token: string | undefined): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, _listener, next) => {
        next(token === undefined ? metadata : withEntry(metadata, 'token', token), {
          onReceiveStatus: (end, pass) => {
            pass(end.code === status.UNAUTHENTICATED ? { ...end, details: TOKEN_REFUSED } : end)
          },
        })
      },
    })
}

const TOKEN_REFUSED = 'the authentication token has expired or is not known'

/** A member that lost its leader ends the stream instead of leaving it silent (etcd clientv3: WithRequireLeader). */
export const requireLeader: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start: (metadata, listener, next) => {
      next(withEntry(metadata, 'hasleader', 'true'), listener)
    },
  })

function withEntry(metadata: Metadata, name: string, value: string): Metadata {
  const own = metadata.clone()
  own.set(name, value)
  return own
}
