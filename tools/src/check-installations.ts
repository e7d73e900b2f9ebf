/**
 * bench, docs and tools are installed apart from the rest, with the same settings and the same versions: their
 * pnpm-workspace.yaml is a link to the repository's, and what two of them use is one version in every lockfile.
 */
import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '../..')
const APART = ['bench', 'docs', 'tools']

interface Lockfile {
  catalogs?: Record<string, Record<string, { version: string }>>
}

const problems: string[] = []

for (const folder of APART) {
  const settings = join(folder, 'pnpm-workspace.yaml')
  if (realpathSync(join(ROOT, settings)) !== realpathSync(join(ROOT, 'pnpm-workspace.yaml'))) {
    problems.push(`${settings} is no link to the repository's: ln -sf ../pnpm-workspace.yaml ${settings}`)
  }
}

/** Where each version of the catalogs is locked: `tsx` to `4.23.15` to the lockfiles that say so. */
const locked = new Map<string, Map<string, string[]>>()
for (const folder of ['.', ...APART]) {
  const file = join(folder, 'pnpm-lock.yaml')
  const { catalogs = {} }: Lockfile = parse(readFileSync(join(ROOT, file), 'utf8'))
  for (const [catalog, entries] of Object.entries(catalogs)) {
    for (const [name, { version }] of Object.entries(entries)) {
      const key = catalog === 'default' ? name : `${name} (${catalog})`
      const versions = locked.get(key) ?? new Map<string, string[]>()
      versions.set(version, [...(versions.get(version) ?? []), file])
      locked.set(key, versions)
    }
  }
}
for (const [name, versions] of locked) {
  if (versions.size === 1) continue
  const where = [...versions].map(([version, files]) => `${version} in ${files.join(', ')}`)
  problems.push(
    `${name} is ${where.join(', ')}: ask for the newest in pnpm-workspace.yaml, and say pnpm lock`,
  )
}

for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log(`One version of each of ${locked.size} packages in every lockfile.`)
process.exitCode = problems.length > 0 ? 1 : 0
