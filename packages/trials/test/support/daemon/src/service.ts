import { daemonUnits, firmware, installDaemon } from '@rpi-cluster/core/daemon'
import { stopSignal } from '@rpi-cluster/core/lifecycle'

stopSignal()
const units = daemonUnits('node', {
  keepsState: true,
  listens: { nodes: '127.0.0.1:7001' },
  credentials: { key: '/etc/rpicluster/node.key' },
  rootTasks: ['reboot', 'update-system'],
  devices: [firmware],
  reloadedBy: 'status',
})
if (process.argv.includes('--install')) await installDaemon(units, console.log)
else
  for (const { name, text } of [units.service, ...units.sockets, ...units.tasks.flat()])
    console.log(`### ${name}\n${text}`)
