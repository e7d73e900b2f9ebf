import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClusterMember } from '@rpi-cluster/core/election'
import getPort from 'get-port'
import { NAMES, until } from '../election/elector.ts'
import { ask, end, program } from '../processes.ts'
import { makeKeys } from '../tasks/keys.ts'
import type { MemberOrder, MemberReport } from './member.ts'
import { HOST } from './value.ts'

/** Three members that keep a log of tasks, each a process of its own. */
export interface Members {
  /** Where the leader is reached by those who submit. */
  port(): Promise<number>
  tellLeader(order: MemberOrder): Promise<MemberReport>
  /** Kills one that does not lead. Its name. */
  loseOne(): Promise<string>
  /** Starts a member again, and waits until it has applied so many entries: how long that takes, in s. */
  secondsUntil(name: string, applied: number): Promise<number>
  /** Ends them, and takes away what they have written. */
  end(): void
}

export async function startMembers(): Promise<Members> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-replication-'))
  await makeKeys(join(folder, 'keys'))
  const members: ClusterMember[] = []
  for (const name of NAMES)
    members.push({ name, host: HOST, port: await getPort(), leaderPort: await getPort() })
  const running = new Map<string, ChildProcess>()
  const start = (name: string) => {
    process.env['STATE_DIRECTORY'] = folder
    running.set(name, program('replication/member.ts', [name, JSON.stringify(members), folder]))
    delete process.env['STATE_DIRECTORY']
  }
  const tell = (name: string, order: MemberOrder) =>
    ask<MemberReport>(running.get(name) as ChildProcess, order)
  const leader = () =>
    until(async () => {
      for (const name of running.keys()) if ((await tell(name, {})).leads) return name
      return undefined
    })
  for (const name of NAMES) start(name)
  return {
    async port() {
      const name = await leader()
      return members.find((member) => member.name === name)?.leaderPort ?? 0
    },
    tellLeader: async (order) => tell(await leader(), order),
    async loseOne() {
      const leads = await leader()
      const name = NAMES.find((one) => one !== leads) ?? ''
      running.get(name)?.kill('SIGKILL')
      running.delete(name)
      return name
    },
    async secondsUntil(name, applied) {
      const began = performance.now()
      start(name)
      await until(async () => ((await tell(name, {})).applied >= applied ? name : undefined))
      return (performance.now() - began) / 1_000
    },
    end() {
      end([...running.values()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
