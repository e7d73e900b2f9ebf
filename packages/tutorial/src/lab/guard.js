// Outlives the lab, to leave nothing behind, however that ended: even by SIGKILL, when it cannot do so itself.
// Its stdin is the lab's hold on it. `start 4711` and `end 4711` tell of processes; when the lab is gone, those that are
// left are killed with all that they have started, and the folder is removed.
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'

const [folder] = process.argv.slice(2)
const running = new Set()
// It ends with its stdin, and not by what is typed.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

for await (const line of createInterface({ input: process.stdin })) {
  const [word, pid] = line.split(' ')
  if (word === 'start') running.add(Number(pid))
  else running.delete(Number(pid))
}
for (const pid of running) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {} // it has ended meanwhile
}
rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
