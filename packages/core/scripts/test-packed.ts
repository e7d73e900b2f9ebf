/** Installs the packed core with npm in an empty project of plain JavaScript, and uses it there on the oldest and the newest Node. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { entries, fail, pack, run } from './pack.ts'

const NODES = ['20', '24']

const program = readFileSync(new URL('packed-program.js', import.meta.url), 'utf8')
const used = new Set<string>()
for (const name of entries) if (program.includes(`'@rpi-cluster/core/${name}'`)) addWithImports(name)
const unused = entries.filter((name) => !used.has(name))
if (unused.length > 0) fail(unused.map((name) => `scripts/packed-program.js does not use ${name}: let it.`))

const { folder, tarball } = pack()
writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
writeFileSync(join(folder, 'program.js'), program)
run('npm', ['install', '--no-audit', '--no-fund', tarball], folder)
for (const version of NODES) {
  const isThisOne = process.versions.node.startsWith(`${version}.`)
  const [command, ...args] = isThisOne ? [process.execPath] : ['npx', '-y', '-p', `node@${version}`, 'node']
  process.stdout.write(run(command as string, [...args, 'program.js'], folder))
}
console.log(`The packed core works on Node ${NODES.join(' and ')}.`)

/** Notes that a module is used, and with it those that it loads, or starts as a thread. */
function addWithImports(name: string): void {
  used.add(name)
  const source = readFileSync(new URL(`../src/${name}.ts`, import.meta.url), 'utf8')
  const imports = source.matchAll(/^(?:import|export) (?!type )[^;'"]*? from '\.\/([\w-]+)\.ts'$/gm)
  const threads = source.matchAll(/new URL\('\.\/([\w-]+)\.ts', import\.meta\.url\)/g)
  for (const [, other] of [...imports, ...threads])
    if (other !== undefined && !used.has(other)) addWithImports(other)
}
