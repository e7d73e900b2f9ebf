/** What is shipped: the files of a bundle, and the name that its content gives it. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'

/** A bundle on its way. */
export interface Parcel {
  /** The folder that it lies in here. */
  folder: string
  /** Its version: the same content has the same, wherever it was made. */
  version: string
  /** The checksum of each of its files but the configuration, by its path in the folder. */
  checksums: ReadonlyMap<string, string>
  /** The texts of its configuration files, by their paths. They are no part of the version: a Pi has its own. */
  configs: ReadonlyMap<string, string>
  /** In bytes. */
  size: number
}

/** @param files all that belongs to it, counted from the folder */
export function parcelOf(folder: string, files: readonly string[], configFiles: readonly string[]): Parcel {
  const contents = files.map((file) => ({ file, content: readFileSync(join(folder, file)) }))
  const programs = contents.filter(({ file }) => !configFiles.includes(file))
  const checksums = new Map(programs.map(({ file, content }) => [file, sha256(content)]))
  return {
    folder,
    version: sha256(checksumList(checksums)).slice(0, 12),
    checksums,
    configs: new Map(
      contents.flatMap(({ file, content }) =>
        configFiles.includes(file) ? [[file, content.toString('utf8')]] : [],
      ),
    ),
    size: contents.reduce((sum, { content }) => sum + content.length, 0),
  }
}

/** Checksums as `sha256sum -c` reads them. */
export function checksumList(checksums: Iterable<readonly [file: string, checksum: string]>): string {
  return [...checksums].map(([file, checksum]) => `${checksum}  ${file}\n`).join('')
}

/** Some of a parcel's files as a tar archive, of the oldest format, so that every tar there is reads it. */
export async function archiveOf({ folder }: Parcel, files: readonly string[]): Promise<Uint8Array> {
  const { stdout } = await execa('tar', ['--format', 'ustar', '-cf', '-', '-C', folder, '--', ...files], {
    encoding: 'buffer',
    env: { COPYFILE_DISABLE: '1' }, // or a Mac adds files of its own
  })
  return stdout
}

function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}
