import { everyProgramEndsWell } from '@rpi-cluster/tutorial/ends-well'

everyProgramEndsWell()
