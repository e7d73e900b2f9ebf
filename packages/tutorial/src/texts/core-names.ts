/** What programs import from the core. A module may give them names that other modules declare, as `sockets` does. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { coreModules } from '../chapters/growth.ts'
import { ROOT } from '../workspace/repository.ts'
import { importedNames, reExportedNames } from './source.ts'

/** The names that a source imports from the core, by the module that declares them: `connect` by `connecting`. */
export function namesFromCore(text: string): Map<string, Set<string>> {
  const modules = new Set(coreModules(ROOT).map(({ name }) => name))
  const names = new Map<string, Set<string>>()
  for (const [specifier, imported] of importedNames(text)) {
    const module = /^@rpi-cluster\/core\/(.+)$/.exec(specifier)?.[1]
    if (module === undefined || !modules.has(module)) continue
    for (const name of imported) {
      const home = declaringModule(module, name)
      names.set(home, (names.get(home) ?? new Set()).add(name))
    }
  }
  return names
}

/** The module of the core that declares a name which another gives: `sending` for `send` of `json-lines`. */
export function declaringModule(module: string, name: string): string {
  const text = readFileSync(join(ROOT, 'packages/core/src', `${module}.ts`), 'utf8')
  const from = reExportedNames(text).get(name)
  return from === undefined ? module : declaringModule(from.replace(/^\.\/|\.ts$/g, ''), name)
}
