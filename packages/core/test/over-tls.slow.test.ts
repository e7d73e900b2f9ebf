/**
 * What was promised of connections before they were encrypted holds for those that are: the tests of then run again, where
 * `connect` and `listen` use a key.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { ConnectOptions } from '../src/connecting.ts'
import type { ListenOptions } from '../src/listening.ts'

const folder = mkdtempSync(join(tmpdir(), 'rpi-cluster-over-tls-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** How both ends of this file encrypt. */
const ways = vi.hoisted(() => ({ connecting: undefined as unknown, listening: undefined as unknown }))

vi.mock('../src/connecting.ts', async (original) => {
  const { connect, ...others } = await original<typeof import('../src/connecting.ts')>()
  const secure = () => ways.connecting as NonNullable<ConnectOptions['secure']>
  return { ...others, connect: (options: ConnectOptions) => connect({ secure: secure(), ...options }) }
})

vi.mock('../src/listening.ts', async (original) => {
  const { listen, ...others } = await original<typeof import('../src/listening.ts')>()
  const secure = () => ways.listening as NonNullable<ListenOptions['secure']>
  return {
    ...others,
    listen: (options: ListenOptions, serve: Parameters<typeof listen>[1]) =>
      listen({ secure: secure(), ...options }, serve),
  }
})

const { openKey, openKeys } = await import('../src/key-files.ts')
const { encryptedBy, encryptedWith } = await import('../src/secure-sockets.ts')
const { recordingLog, start, tempFolder } = await import('./support.ts')
const { log } = recordingLog()
const { signal: stop } = new AbortController()
const keys = await openKeys({ folder: join(folder, 'keys'), nodes: ['pi-1'], log, stop })
const encrypted = encryptedWith(keys, { stop, log })
// Who has proven a name has that, whatever it tells: these tests are about those that tell theirs.
ways.listening = async (socket: Socket, about: { peer: string; address: string }) => {
  const { node: _, ...secured } = await encrypted(socket, about)
  return secured
}
ways.connecting = encryptedBy(await openKey({ file: join(folder, 'keys', 'pi-1.key'), log, stop }))

// TLS has no reset of its own.
Object.assign(TLSSocket.prototype, {
  resetAndDestroy(this: TLSSocket & { _parent: Socket }) {
    this._parent.resetAndDestroy()
  },
})

for (const name of ['broadcast', 'dialogue', 'live', 'liveness', 'node', 'reconnect', 'roster', 'vitals'])
  describe(name, async () => {
    await import(`./${name}.test.ts`)
  })

const hasNetworks = spawnSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up']).status === 0

test.runIf(hasNetworks).each(['idle', 'talking'])(
  'a peer whose network is gone is told from one that is frozen (%s)',
  async (what) => {
    const program = start('pulled-cable.ts', [what, tempFolder(), 'encrypted'], { network: true })
    expect([await program.ended, program.stdout.trim().split('\n').at(-1), program.stderr]).toEqual([
      0,
      'silent',
      '',
    ])
  },
)
