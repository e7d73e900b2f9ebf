/**
 * etcd, as far as an election needs it: keys that live as long as a lease, in the order in which they were made, and a watch.
 *
 * It speaks to the JSON gateway, which etcd has at /v3 since 3.4: bytes are base64, and numbers of 64 bits are texts. The only
 * client for Node, etcd3, is of 2023 and brings gRPC along; what is needed here are seven requests.
 */
import { OperationalError } from '@rpi-cluster/core/lifecycle'

/** Who stands in line: the lower the revision, the earlier. */
export interface Standing {
  readonly name: string
  /** The revision of etcd with which its key was made: no two have the same, and each later one is higher. */
  readonly revision: number
}

/** A change of the line: somebody has come, or gone. */
export interface LineChange {
  readonly name: string
  /** Undefined when it has gone. */
  readonly revision: number | undefined
}

interface KeyValue {
  key: string
  create_revision?: string
  value?: string
}

interface WatchAnswer {
  result?: { canceled?: boolean; events?: { type?: 'DELETE'; kv: KeyValue }[] }
  error?: { message?: string }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const text = (encoded: string) => Buffer.from(encoded, 'base64').toString()

export class Etcd {
  readonly #url: string
  readonly #prefix: string
  readonly #timeoutMs: number

  /**
   * @param url where it is: `http://127.0.0.1:12362`
   * @param prefix what the keys of the line begin with, with a slash at the end
   * @param timeoutMs how long an answer may take, in ms
   */
  constructor(url: string, prefix: string, timeoutMs: number) {
    this.#url = url
    this.#prefix = prefix
    this.#timeoutMs = timeoutMs
  }

  /**
   * A new lease.
   *
   * @param seconds for how long, if it is not renewed. etcd has a least of its own: one and a half of its time-outs
   * @returns its id, and how long it holds, in seconds
   */
  async grant(seconds: number): Promise<{ lease: string; seconds: number }> {
    const { ID, TTL } = await this.#ask<{ ID: string; TTL: string }>('lease/grant', { TTL: seconds })
    return { lease: ID, seconds: Number(TTL) }
  }

  /** Renews a lease. Returns for how many seconds it holds; 0 when it is over. */
  async renew(lease: string): Promise<number> {
    const { result } = await this.#ask<{ result?: { TTL?: string } }>('lease/keepalive', { ID: lease })
    return Number(result?.TTL ?? 0)
  }

  /** Ends a lease, and removes the keys that it holds. */
  async revoke(lease: string): Promise<void> {
    await this.#ask('lease/revoke', { ID: lease })
  }

  /** Stands in line, behind all others, for as long as the lease holds. Returns the revision. */
  async stand(name: string, lease: string): Promise<number> {
    await this.leave([name])
    const about = { key: base64(this.#prefix + name), value: base64(name), lease }
    const { header } = await this.#ask<{ header: { revision: string } }>('kv/put', about)
    return Number(header.revision)
  }

  /** Takes these out of the line, all at once. */
  async leave(names: readonly string[]): Promise<void> {
    const success = names.map((name) => ({
      requestDeleteRange: { key: base64(this.#prefix + name) },
    }))
    await this.#ask('kv/txn', { success })
  }

  /** The line, the first first, and as of which revision that is so. */
  async line(): Promise<{ line: Standing[]; revision: number }> {
    const { header, kvs = [] } = await this.#ask<{ header: { revision: string }; kvs?: KeyValue[] }>(
      'kv/range',
      { ...this.#range(), sort_target: 'CREATE', sort_order: 'ASCEND' },
    )
    const line = kvs.map((kv) => ({ name: this.#nameOf(kv), revision: Number(kv.create_revision) }))
    return { line, revision: Number(header.revision) }
  }

  /** What changes in the line after a revision, until etcd is not reached any more or `stop` is aborted. */
  async *changes(after: number, stop: AbortSignal): AsyncGenerator<LineChange[], void, void> {
    const about = { create_request: { ...this.#range(), start_revision: String(after + 1) } }
    const { body } = await this.#post('watch', about, stop)
    let rest = ''
    for await (const bytes of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const lines = (rest + bytes).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines.filter(Boolean)) {
        const { result, error } = JSON.parse(line) as WatchAnswer
        if (!result || result.canceled) throw new OperationalError(`etcd ends the watch: ${error?.message}`)
        yield (result.events ?? []).map(({ type, kv }) => ({
          name: this.#nameOf(kv),
          revision: type === 'DELETE' ? undefined : Number(kv.create_revision),
        }))
      }
    }
  }

  #nameOf({ key }: KeyValue): string {
    return text(key).slice(this.#prefix.length)
  }

  /** All keys with the prefix: up to the one behind it, as "0" comes behind "/". */
  #range() {
    return { key: base64(this.#prefix), range_end: base64(`${this.#prefix.slice(0, -1)}0`) }
  }

  async #ask<Answer>(what: string, about: object): Promise<Answer> {
    const answer = await this.#post(what, about, AbortSignal.timeout(this.#timeoutMs))
    try {
      return (await answer.json()) as Answer
    } catch (error) {
      throw new OperationalError(
        `etcd at ${this.#url} has not answered to the end: ${(error as Error).message}`,
      )
    }
  }

  async #post(what: string, about: object, signal: AbortSignal): Promise<Response> {
    let answer: Response
    try {
      answer = await fetch(`${this.#url}/v3/${what}`, { method: 'POST', body: JSON.stringify(about), signal })
    } catch (error) {
      const { message, cause } = error as Error & { cause?: { code?: string } }
      throw new OperationalError(`etcd is not reached at ${this.#url}: ${cause?.code ?? message}`)
    }
    if (answer.ok) return answer
    throw new OperationalError(`etcd at ${this.#url} refuses ${what}: ${(await answer.text()).slice(0, 200)}`)
  }
}
