import { type DaemonOptions, daemonUnits, installDaemon } from '@rpi-cluster/core/daemon'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'

stopSignal()
const [program, option = '--print', ...others] = process.argv.splice(2)

if (!program || program.startsWith('-') || others.length > 0) {
  throw new OperationalError(
    'Name a program, and what to do with its units: "node --print" shows them, "node --install" puts them to work.',
  )
}

/** What each is granted beside what all have. */
const grants: Record<string, DaemonOptions> = {
  node: { memoryMax: '75%', tasksMax: 512 }, // its tasks have processes of their own
}
const units = daemonUnits(program, {
  keepsState: true,
  reloadedBy: 'status',
  credentials: { key: `/etc/rpicluster/${program}.key` },
  ...grants[program],
})

if (option === '--install') await installDaemon(units, console.log)
else if (option === '--print')
  for (const { name, text } of [units.service, ...units.sockets, ...units.tasks.flat()])
    process.stdout.write(`# ${name}\n${text}`)
else throw new OperationalError(`There is no option "${option}". The units take --print or --install.`)
