/**
 * A program that belongs to its machine: started at boot, started again after a crash, and watched for a hang, all by
 * systemd. A unit tells systemd how, and the program tells systemd how it does.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.12.0
 */

// How a program does, said to whom started it.
export { ServiceManager, type ServiceManagerOptions } from './service-manager.ts'
// A unit for a program, and how it gets to its place.
export { installUnit, type Unit, type UnitOptions, unitOf } from './service-unit.ts'
