/**
 * What a program may know and nobody else: systemd reads it as root, and puts a copy where only this program's user finds it.
 *
 * @since 0.23.0
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The file of a credential of this program: where systemd has put it (`LoadCredential=` in its unit), or else the one that is
 * used without systemd.
 *
 * @param name what its unit calls it: `key`
 * @param otherwise the file to use in a program that was given none, as one that was started by hand
 * @throws TypeError when the name is none
 */
export function credentialFile(name: string, otherwise: string): string {
  if (!/^[\w-][\w.-]*$/.test(name)) throw new TypeError(`"${name}" is no name of a credential.`)
  const folder = process.env['CREDENTIALS_DIRECTORY']
  const file = folder && join(folder, name)
  return file && existsSync(file) ? file : otherwise
}
