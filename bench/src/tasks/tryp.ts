// profiles the cluster, or the pool
import { execSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { cluster } from './index.ts'
import { makeKeys, NODES } from './keys.ts'
import { ask, program } from '../processes.ts'
await makeKeys(mkdtempSync('/tmp/bk-'))
const n = Number(process.argv[3] ?? 30000)
const kids = () => { const all = execSync('ps -e -o pid=,ppid=,args=').toString().trim().split('\n').map((l) => l.trim().split(/\s+/))
  const mine = new Set([String(process.pid)]); for (let k = 0; k < 4; k++) for (const [p, pp] of all) if (mine.has(pp!)) mine.add(p!)
  return all.filter(([p, , a]) => mine.has(p!) && p !== String(process.pid) && a?.includes('node')).map(([p]) => Number(p)) }
const cpu = (pids: number[]) => pids.map((p) => { try { const f = execSync(`cat /proc/${p}/stat`).toString().split(') ')[1]!.split(' '); return [Number(f[11]) * 10, Number(f[12]) * 10] } catch { return [0, 0] } })
const names = (p: number) => execSync(`tr '\\0' ' ' < /proc/${p}/cmdline`).toString().replace(/.*src\//, '')
let run: (empty: number) => Promise<{ tookMs: number }>
if (process.argv[2] === 'pool') { const c = program('tasks/pool.ts', [4]); run = (empty) => ask(c, { empty }) }
else { const c = await cluster(NODES); run = (empty) => c.submit({ empty }) }
await run(5000); await run(Number(process.argv[4] ?? 5000))
const pids = kids()
const sig = () => { for (const p of pids) try { process.kill(p, 'SIGUSR2') } catch {} }
if (process.env['PROF']) { sig(); await new Promise((r) => setTimeout(r, 300)) }
const before = cpu(pids)
const { tookMs } = await run(n)
const after = cpu(pids)
let sum = 0
pids.forEach((p, i) => { const [u, s] = [after[i]![0]! - before[i]![0]!, after[i]![1]! - before[i]![1]!]; sum += u + s; console.log(String(u).padStart(6), String(s).padStart(6), names(p)) })
console.log('rate', Math.round((n * 1000) / tookMs), 'cpu µs a task', ((sum * 1000) / n).toFixed(1))
if (process.env['PROF']) { sig(); await new Promise((r) => setTimeout(r, 1500)) }
process.exit()
