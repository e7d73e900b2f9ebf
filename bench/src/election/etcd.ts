import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import getPort from 'get-port'
import { type Elector, HOST, type Leading, NAMES, until } from './elector.ts'

/** How long a member may take to answer, in ms: a frozen one never does. */
const ANSWER_MS = 250

interface Member {
  name: string
  client: string
  peer: string
}

/** What a member says of itself, by its HTTP gateway: 64-bit numbers are texts there. */
interface Status {
  leader?: string
  raftTerm?: string
  header: { member_id: string }
}

/** etcd of this machine, with its own times, and a folder of its own. It is asked who leads as etcdctl asks. */
export async function etcd(): Promise<Elector & { url: (name: string) => string }> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-etcd-'))
  const members: Member[] = []
  for (const name of NAMES)
    members.push({
      name,
      client: `http://${HOST}:${await getPort()}`,
      peer: `http://${HOST}:${await getPort()}`,
    })
  const running = new Map<string, ChildProcess>()
  const names = new Map<string, string>()
  const start = ({ name, client, peer }: Member) => {
    const child = spawn(
      'etcd',
      [
        ...['--name', name, '--data-dir', join(folder, name)],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...['--initial-cluster', members.map(({ name, peer }) => `${name}=${peer}`).join(',')],
        ...['--logger', 'zap', '--log-level', 'error'],
      ],
      { stdio: 'ignore' },
    )
    running.set(name, child)
  }
  for (const member of members) start(member)

  async function statusOf({ name, client }: Member): Promise<Status | undefined> {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS)
      const response = await fetch(`${client}/v3/maintenance/status`, { method: 'POST', body: '{}', signal })
      const status = (await response.json()) as Status
      names.set(status.header.member_id, name)
      return status
    } catch {
      return undefined
    }
  }

  return {
    settled: () =>
      until<Leading>(async () => {
        const all = await Promise.all(members.map(statusOf))
        const [first] = all
        const leader = names.get(first?.leader ?? '')
        const isSame = (status?: Status) =>
          status?.leader === first?.leader && status?.raftTerm === first?.raftTerm
        return leader && all.every(isSame) ? { name: leader, term: Number(first?.raftTerm) } : undefined
      }),
    async anotherLeads({ name, term }) {
      const others = members.filter((member) => member.name !== name)
      await until(async () => {
        const all = await Promise.all(others.map(statusOf))
        return all.find(
          (status) => status?.leader === status?.header.member_id && Number(status?.raftTerm) > term,
        )
      })
    },
    url: (name) => members.find((member) => member.name === name)?.client ?? '',
    process: (name) => running.get(name) as ChildProcess,
    async restart(name) {
      for (const member of members) if (member.name === name) start(member)
    },
    end() {
      for (const child of running.values()) child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
