import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ElectionMember, ElectionWatch } from '@rpi-cluster/core/election'
import { openKey } from '@rpi-cluster/core/key-files'
import { addKey } from '@rpi-cluster/core/keys'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import getPort from 'get-port'
import { noLog as log } from '../no-log.ts'
import { program } from '../processes.ts'
import { type Elector, HOST, type Leading, NAMES, until } from './elector.ts'

/** Members of ours, and a watch that is no member, as a reader's program has one. */
export async function ours(): Promise<Elector> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-election-'))
  const stopping = new AbortController()
  const { signal: stop } = stopping
  const keys = join(folder, 'keys')
  mkdirSync(keys, { mode: 0o700 })
  for (const node of [...NAMES, 'watch']) await addKey({ folder: keys, node })
  const members: ElectionMember[] = []
  for (const name of NAMES) members.push({ name, host: HOST, port: await getPort() })
  const running = new Map<string, ChildProcess>()
  const start = (name: string) =>
    running.set(name, program('./election/member.ts', [name, JSON.stringify(members), folder]))
  for (const name of NAMES) start(name)
  const secure = encryptedBy(await openKey({ file: join(keys, 'watch.key'), log, stop }))
  const watch = new ElectionWatch({ members, secure, log, stop })
  const views = () =>
    [...watch.views.values()].flatMap(({ view, isReachable }) => (isReachable && view ? [view] : []))

  return {
    settled: () =>
      until<Leading>(() => {
        const { leader } = watch
        const all = views().filter(({ leader: name, term }) => name === leader?.name && term === leader?.term)
        return leader && all.length === NAMES.length ? leader : undefined
      }),
    anotherLeads: async ({ term }) => {
      await until(() => views().find((view) => view.term > term && view.leader === view.name))
    },
    process: (name) => running.get(name) as ChildProcess,
    async restart(name) {
      start(name)
    },
    end() {
      stopping.abort()
      for (const child of running.values()) child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
