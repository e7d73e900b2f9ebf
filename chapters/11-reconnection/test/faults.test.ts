import { everyFaultIsHealed } from '@rpi-cluster/tutorial/harness/every-fault-is-healed'

everyFaultIsHealed()
