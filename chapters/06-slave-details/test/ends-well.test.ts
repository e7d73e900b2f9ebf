import { everyProgramEndsWell } from '@rpi-cluster/tutorial/ends-well'

everyProgramEndsWell({ logFiles: { master: 'master.log', slave: 'slave.log' } })
