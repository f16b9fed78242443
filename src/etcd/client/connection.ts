import type { EtcdAccess } from '../../config/options.ts'
import { Channel, Client, connectivityState, credentials, type ChannelCredentials } from '@grpc/grpc-js'
import { noop } from 'cockatiel'
import { Etcd3 } from 'etcd3'

import type { Clock, Random } from '../../time/clock.ts'
import type { StoreError } from '../../lease/store.ts'
import type { Validity } from './certificates.ts'
import { SocketKeeper } from './credentials.ts'
import type { EtcdAddress } from './endpoints.ts'
import { explain, isRiddle, type Circumstances } from './explain.ts'
import { Liveness } from './liveness.ts'
import { storeProbe } from './probe.ts'
import { rawCalls, type RawCalls } from './request.ts'
import type { TlsCredentials, TlsFiles } from './tls.ts'
import { TokenSource } from './token.ts'
import type { WhoAnswers } from './who-answers.ts'

const SCHEME = /^https?:\/\//

/**
 * What we take in one message, in bytes. The largest that an honest etcd has to send is one key, of what it takes in one request: by
 * default 1.5 MiB, and no more than 10 MiB by its own advice (etcd: dev-guide/limit.md).
 */
const LARGEST_MESSAGE = 16 << 20

/**
 * What etcd may send before we have taken it in, in bytes: a page of a list in one go (`etcd/keys/list.ts`), where 64 KB, which is Node's
 * default, let it wait for our event loop several times in each.
 */
const WINDOW = 1 << 20

/**
 * Channel settings (grpc: doc/keepalive.md). No pings: etcd and its proxies each have a limit of their own to how many they take
 * (`--grpc-keepalive-min-time`), and close the connection of whoever passes it; see {@link Liveness}. A proxy from the
 * environment is for the web, not for etcd. Channels share no connections, or a new one would inherit what the old one died of.
 */
const CHANNEL = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.max_receive_message_length': LARGEST_MESSAGE,
  'grpc-node.flow_control_window': WINDOW,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
}

/** One channel for all services of etcd3, which closes its service clients after every failure. */
class SharedChannel extends Channel {
  override close(): void {
    // whatever else is under way on it goes on
  }

  shutDown(): void {
    super.close()
  }
}

/** What a connection takes from outside. */
export interface ConnectionTools {
  readonly clock: Clock
  readonly random: Random
  /** As in {@link Liveness}. */
  readonly quietMs: () => number
  /** What is read to see whether etcd answers: a key that we are permitted to read. */
  readonly probeKey: Buffer
  readonly whoAnswers: WhoAnswers
  /** Where an address is secure: the files for it. */
  readonly tls?: TlsFiles | undefined
}

/** One TCP connection to one address of etcd, made when it is needed and again when it broke. */
export class Connection {
  /**
   * Its fault handling is switched off: which address to use, when to try again and whether that is safe is decided in
   * `call.ts`, per call.
   */
  readonly client: Etcd3
  readonly raw: RawCalls
  readonly liveness: Liveness
  readonly #channel: SharedChannel
  readonly #sockets: SocketKeeper
  readonly #token: TokenSource
  readonly #address: EtcdAddress
  readonly #options: EtcdAccess
  /** What the newest connection was made with. */
  #tls: TlsCredentials | undefined
  readonly #whoAnswers: WhoAnswers
  #isClosed = false

  /** @throws {StoreError} while the files for TLS are waited for */
  constructor(address: EtcdAddress, options: EtcdAccess, tools: ConnectionTools) {
    const { clock, random, quietMs, probeKey, tls } = tools
    this.#whoAnswers = tools.whoAnswers
    this.#address = address
    this.#options = options
    const current = (): ChannelCredentials => {
      this.#tls = address.secure ? tls?.get() : undefined
      return channelCredentials(this.#tls)
    }
    this.#sockets = new SocketKeeper(current, {
      isReady: () => this.connected,
      onCertificate: (certificate) => tls?.sawServer(address.url, certificate),
    })
    const target = address.url.replace(SCHEME, '')
    this.#channel = new SharedChannel(target, this.#sockets, CHANNEL)
    this.client = new Etcd3({
      hosts: target,
      grpcOptions: { channelOverride: this.#channel },
      faultHandling: { host: () => noop, global: noop },
    })
    const beside = new Client(target, this.#sockets, { channelOverride: this.#channel })
    this.raw = rawCalls(beside)
    this.#token = new TokenSource(this.client.auth, address.url, options)
    this.liveness = new Liveness({
      url: address.url,
      probe: storeProbe(this, beside, probeKey),
      clock,
      random,
      quietMs,
      received: () => this.#sockets.bytesReceived,
      onDead: () => {
        this.close()
      },
    })
  }

  /** TCP, TLS and HTTP/2 stand. */
  get connected(): boolean {
    return this.#channel.getConnectivityState(false) === connectivityState.READY
  }

  /** Nothing can be done on it any more. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** A failure over it, with what it comes from. Takes a second or two at most, and never fails. */
  async explain(failure: StoreError): Promise<StoreError> {
    const circumstances = this.#circumstances()
    const isRiddling = !this.connected && !this.#isClosed && isRiddle(failure, circumstances)
    const answering = isRiddling ? await this.#whoAnswers.at(this.#address.url.replace(SCHEME, '')) : undefined
    return explain(failure, { ...circumstances, answering })
  }

  #circumstances(): Circumstances {
    const { username = '', prefix } = this.#options
    const validityIn = (flag: string): Validity | undefined =>
      this.#tls?.validities.find(({ what }) => what.endsWith(flag))
    return {
      url: this.#address.url,
      fault: this.#sockets.fault,
      wasReached: this.#sockets.wasReached,
      answering: undefined,
      certificate: validityIn('--etcd-certfile'),
      authority: validityIn('--etcd-cafile'),
      user: username === '' ? 'the user that our certificate names' : `user ${JSON.stringify(username)}`,
      prefix,
      nowMs: Date.now(),
    }
  }

  /** Proof of who we are, undefined where etcd asks for none. @throws {StoreError} */
  token(): Promise<string | undefined> {
    return this.#token.get()
  }

  /** The next call gets a new token, unless somebody has seen to that already. */
  forgetToken(token: string): void {
    this.#token.forget(token)
  }

  /** Ends everything under way on it. */
  close(): void {
    this.#isClosed = true
    this.liveness.close()
    this.#channel.shutDown()
    this.#sockets.close()
  }
}

function channelCredentials(tls: TlsCredentials | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure()
  return credentials.createSsl(tls.rootCertificate, tls.privateKey, tls.certChain)
}
