/** A part of the core with one place of its source text changed: what nobody notices is not tried. The core itself knows nothing of it. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Mutation {
  /** The rule, as it is meant, and where it stands in the paper or in the thesis. */
  readonly rule: string
  readonly file: string
  /** What stands there once, and what is put in its place. */
  readonly from: string
  readonly to: string
}

/**
 * A module of the core with a rule broken: a copy of the files that belong to it, with one place changed.
 *
 * @param module the file with which it begins
 * @param files the names of all files that it is made of
 * @throws Error when that place is not there, or twice: then the mutation is to be written anew
 */
export async function mutated<Module>(
  { file, from, to }: Mutation,
  module: string,
  files: RegExp,
): Promise<Module> {
  const core = join(import.meta.dirname, '../../../core')
  const folder = mkdtempSync(join(tmpdir(), 'mutation-'))
  try {
    for (const name of readdirSync(join(core, 'src')))
      if (files.test(name)) cpSync(join(core, 'src', name), join(folder, name))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(core, 'node_modules'), join(folder, 'node_modules'))
    const text = readFileSync(join(folder, file), 'utf8')
    if (text.split(from).length !== 2) throw new Error(`There is not one place in ${file} with: ${from}`)
    writeFileSync(
      join(folder, file),
      text.replace(from, () => to),
    )
    return (await import(join(folder, module))) as Module
  } finally {
    rmSync(folder, { recursive: true })
  }
}
