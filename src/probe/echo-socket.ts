import type { Family, Ip } from '../net/ip.ts'
import type { Echo, EchoMessage } from './echo.ts'

/** A question to be sent. */
export interface EchoQuestion extends Pick<Echo, 'sequence' | 'nonce'> {
  readonly to: Ip
  /** The address that it is sent from, and answered to. */
  readonly from: Ip
  /** Of the whole IP packet, in octets; it is never fragmented here or by a router. */
  readonly packetLength: number
}

/** Why a question could not be sent: an error of the system by its name, such as `EMSGSIZE` or `ENETUNREACH`. */
export interface NotSent {
  readonly error: string
}

/** Something that has come in. */
export type EchoReport =
  | (Omit<EchoMessage, 'identifier'> & {
      readonly from: Ip
      /** On the wall clock, in microseconds, noted by the kernel. */
      readonly atMicros: number
    })
  /** Of a question that was sent: a router, or this host itself, says that it does not arrive. */
  | (Pick<EchoMessage, 'sequence' | 'nonce'> & {
      readonly kind: 'refusal'
      /** In words, such as `host unreachable from 10.0.0.1`. */
      readonly says: string
      /** Of the way, in octets, where the packet was too large for it. */
      readonly mtu?: number | undefined
    })

/** Asks in one address family. Nothing here waits; what has come in lies in the kernel until somebody reads it. */
export interface EchoSocket {
  /** Whether it hears what others ask. */
  readonly hearsQuestions: boolean
  /** @returns when it was sent, in microseconds on the wall clock */
  send(question: EchoQuestion): number | NotSent
  /** All that has come in since the last time, as far as it is of agents; what there was no room for is lost. */
  receive(): readonly EchoReport[]
  close(): void
}

/** @returns in words why there is none, if there is none */
export type OpenEchoSocket = (family: Family) => EchoSocket | { readonly why: string }
