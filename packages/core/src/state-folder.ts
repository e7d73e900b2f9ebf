/**
 * Where a program keeps what outlives it: its identity, its store, its keys.
 *
 * @since 0.15.0
 */
import { join } from 'node:path'
import { programFolder } from './program-folder.ts'

/** The folder that systemd has made for it (`STATE_DIRECTORY`, of several the first), or `state` in the {@link programFolder}. */
export function stateFolder(): string {
  return process.env['STATE_DIRECTORY']?.split(':')[0] || join(programFolder(), 'state')
}
