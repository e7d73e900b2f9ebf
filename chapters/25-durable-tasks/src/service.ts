import { type DaemonOptions, daemonUnits, installDaemon } from '@rpi-cluster/core/daemon'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { config } from './config.ts'

stopSignal()
const [program, option = '--print', ...others] = process.argv.splice(2)

if (!program || program.startsWith('-') || others.length > 0) {
  throw new OperationalError(
    'Name a program, and what to do with its units: "secondary --print" shows them, "secondary --install" puts them to work.',
  )
}
const { socketBindIp: host, socketPort: port } = loadJsonConfig(config, 'primary', createLogger('service'))
const where = host.includes(':') ? `[${host}]:${port}` : [host, port].filter(Boolean).join(':')

/** What each is granted beside what all have. */
const grants: Record<string, DaemonOptions> = {
  primary: { listens: { nodes: where } },
  secondary: { memoryMax: '75%', tasksMax: 512 }, // its tasks have processes of their own
}
const key = { key: `/etc/rpicluster/${program}.key` }
const units = daemonUnits(program, {
  keepsState: true,
  reloadedBy: 'status',
  ...(program !== 'primary' && { credentials: key }), // the primary has those of all, in its state
  ...grants[program],
})

if (option === '--install') await installDaemon(units, console.log)
else if (option === '--print')
  for (const { name, text } of [units.service, ...units.sockets, ...units.tasks.flat()])
    process.stdout.write(`# ${name}\n${text}`)
else throw new OperationalError(`There is no option "${option}". The units take --print or --install.`)
