import type { AuthClient } from 'etcd3'

import { StoreError } from '../../lease/store.ts'
import { toStoreError } from './errors.ts'
import type { EtcdAccess } from '../../config/options.ts'

/** How long getting a token may take; checking a password is slow on purpose (bcrypt). */
const AUTHENTICATE_TIMEOUT_MS = 4_000

/** The token of one connection, fetched once for all calls that wait for it. */
export class TokenSource {
  readonly #auth: AuthClient
  readonly #url: string
  readonly #name: string
  readonly #password: string
  #token: Promise<string | undefined> | undefined
  #known: string | undefined

  constructor(auth: AuthClient, url: string, { username = '', password = '' }: EtcdAccess) {
    this.#auth = auth
    this.#url = url
    this.#name = username
    this.#password = password
  }

  /** @returns undefined without a user and password, and where etcd has no authentication. @throws {StoreError} */
  get(): Promise<string | undefined> {
    if (this.#name === '' || this.#password === '') return Promise.resolve(undefined)
    this.#token ??= this.#authenticate()
    return this.#token
  }

  forget(token: string): void {
    if (this.#known === token) this.#token = undefined
  }

  async #authenticate(): Promise<string | undefined> {
    const credentials = { name: this.#name, password: this.#password }
    try {
      const options = { deadline: Date.now() + AUTHENTICATE_TIMEOUT_MS }
      this.#known = (await this.#auth.authenticate(credentials, options)).token
      return this.#known
    } catch (error) {
      this.#token = undefined
      const failure = toStoreError({ op: 'authenticate', url: this.#url }, error)
      // as etcd's own clients have it: a password that nobody asks for does no harm
      if (failure.code === 'FAILED_PRECONDITION') return undefined
      const { op, code, retryable, cause, url } = failure
      const message = `${failure.message} (user ${JSON.stringify(this.#name)})`
      throw new StoreError({ op, code, retryable, message, cause, url })
    }
  }
}
