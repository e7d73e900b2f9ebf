/**
 * Looks at the core as npm would deliver it: is every file there, does every entry resolve, and do
 * its types resolve with it?
 */
import { entries, fail, pack, run } from './pack.ts'

const { folder, tarball } = pack()

const packed = run('tar', ['-tzf', tarball], folder).split('\n')
const promised = [
  'package.json',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  ...entries.flatMap((name) => [`src/${name}.ts`, `dist/${name}.js`, `dist/${name}.d.ts`]),
]
const missing = promised.filter((path) => !packed.includes(`package/${path}`))
if (missing.length > 0) fail(missing.map((path) => `The packed core lacks ${path}.`))

run('publint', [tarball, '--strict'], folder)
// attw finds no entries behind the wildcard of "exports", and then has nothing to complain about: so all are named.
run('attw', [tarball, '--profile', 'esm-only', '--entrypoints', ...entries], folder)

console.log(
  `The packed core is complete: ${entries.length} entries, each with its JavaScript, types and source.`,
)
