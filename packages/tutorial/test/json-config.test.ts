/** A chapter whose configuration is JSON, with comments: the tool finds its ports there, rewrites values, and publishes its JSON Schema. */
import { spawn } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { bundleChapter } from '../src/bundle/bundle-chapter.ts'
import { type Chapter, findChapter, readChapter } from '../src/chapters/chapters.ts'
import { textWith, valueAt } from '../src/chapters/config-file.ts'
import { portsOf } from '../src/chapters/ports.ts'
import { schemaProblems, syncSchemas } from '../src/checks/json-schemas.ts'
import { ChapterCopy } from '../src/harness/chapter-copy.ts'
import { Running } from '../src/harness/harness.ts'
import { carriedOver, withValue } from '../src/ship/config-values.ts'

const CONFIG = `// The configuration of this cluster.
{
  "$schema": "./rpicluster.schema.json",
  "hub": {
    // The port to listen on: 12399 is free.
    "socket_port": 12399, // so far
    "friends": ["a"],
    "other": null,
  },
}
`

const FILES = {
  'package.json': JSON.stringify({
    name: '28-made-up',
    type: 'module',
    engines: { node: '>=20.19' },
    files: ['src', 'rpicluster.json', 'rpicluster.schema.json'],
    cluster: {
      config: 'rpicluster.json',
      programs: { hub: { ready: 'Listening on', listens: ['hub.socket_port'] } },
    },
  }),
  'rpicluster.json': CONFIG,
  'rpicluster.schema.json': '{}\n',
  'src/config.ts': `import { anyOther, defineConfig, port } from './kinds.ts'
export const config = defineConfig({
  hub: {
    description: 'The node that others connect to.',
    keys: {
      socket_port: { schema: port, description: 'The port to listen on.' },
      friends: { schema: anyOther, description: 'Who is let in.', default: [] },
      other: { schema: anyOther, description: 'Another one.', default: null },
    },
  },
})
`,
  'src/kinds.ts': `import { host, listOf, orNothing } from '@rpi-cluster/core/json-config'
export { defineConfig, port } from '@rpi-cluster/core/json-config'
export const anyOther = orNothing(listOf(host))
`,
  'src/hub.ts': `import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { listen } from '@rpi-cluster/core/sockets'
import { config } from './config.ts'

const stop = stopSignal()
const log = createLogger('hub')
const { socketPort: port } = loadJsonConfig(config, 'hub', log)
const { address } = await listen({ peer: 'node', host: '127.0.0.1', port, stop, log }, async () => {})
log.info(\`Listening on \${address}\`)
`,
}

let folder: string
let chapter: Chapter
beforeAll(() => {
  folder = join(realpathSync(mkdtempSync(join(tmpdir(), 'json-config-'))), '28-made-up')
  mkdirSync(join(folder, 'src'), { recursive: true })
  for (const [file, text] of Object.entries(FILES)) writeFileSync(join(folder, file), text)
  symlinkSync(join(findChapter('19').folder, 'node_modules'), join(folder, 'node_modules'))
  chapter = readChapter(folder)
})
afterAll(() => rmSync(join(folder, '..'), { recursive: true }))

test('its ports are found, and a copy has others; comments stay', async () => {
  expect(portsOf(chapter)).toEqual([{ program: 'hub', port: 12_399, isFixed: false }])
  const copy = await ChapterCopy.make(folder)
  onTestFinished(() => copy.remove())
  expect(copy.port).not.toBe(12_399)
  const text = readFileSync(join(copy.folder, 'rpicluster.json'), 'utf8')
  expect(text).toContain(
    `// The port to listen on: ${copy.port} is free.\n    "socket_port": ${copy.port}, // so far`,
  )

  const hub = await copy.run('hub')
  await hub.says(new RegExp(`Listening on 127\\.0\\.0\\.1:${copy.port}`))
  await hub.stop()
  expect(hub.exitCode).toBe(0)
})

test('a test writes sections under the names of the chapter that it runs', async () => {
  const copy = await ChapterCopy.make(folder, { names: new Map([['hub', 'boss']]) })
  onTestFinished(() => copy.remove())
  await copy.write('rpicluster.json', '{"hub": {"hub": 1},\n  "hub" : {\n"x": "hub"}, "leaf": {}}')
  expect(readFileSync(join(copy.folder, 'rpicluster.json'), 'utf8')).toBe(
    '{"boss": {"hub": 1},\n  "boss" : {\n"x": "hub"}, "leaf": {}}',
  )
})

test('its bundle has all that it needs, and reads the file that it brings', async () => {
  const out = join(folder, '../bundle')
  await bundleChapter(chapter, out)
  const copy = await ChapterCopy.make(folder)
  onTestFinished(() => copy.remove())
  const config = join(copy.folder, 'rpicluster.json')
  const hub = new Running(
    spawn(process.execPath, [join(out, 'hub.js'), '--config', config], {
      detached: true,
      env: { PATH: process.env['PATH'] },
    }),
  )
  onTestFinished(() => hub.kill())
  await hub.says(/Listening on/)
  expect(hub.lines.join('\n')).toContain(`The configuration is ${config}`)
  await hub.stop()
  expect(readFileSync(join(out, 'rpicluster.json'), 'utf8')).toBe(CONFIG)
})

test('its JSON Schema is written by sync, and a stale one is a problem', () => {
  const stale =
    'chapters/28-made-up/rpicluster.schema.json: it is not what src/config.ts defines (pnpm sync writes it)'
  expect(schemaProblems([chapter])).toEqual([stale])
  expect(syncSchemas([chapter])).toEqual(['chapters/28-made-up/rpicluster.schema.json'])
  expect(schemaProblems([chapter])).toEqual([])
  const schema = JSON.parse(readFileSync(join(folder, 'rpicluster.schema.json'), 'utf8'))
  expect(schema.properties.hub.properties.socket_port).toMatchObject({ type: 'integer', maximum: 65_535 })

  writeFileSync(join(folder, 'src/config.ts'), 'export const config = 5\n')
  onTestFinished(() => writeFileSync(join(folder, 'src/config.ts'), FILES['src/config.ts']))
  expect(schemaProblems([chapter])).toEqual([
    `${join(folder, 'src/config.ts')}: it exports nothing that defineConfig has made, and so has no JSON Schema.`,
  ])
})

test('a value is replaced where it stands, as what it is', () => {
  const set = (key: string, value: string) => textWith(CONFIG, { section: 'hub', key, value })
  expect(set('socket_port', '7000')).toBe(CONFIG.replace('": 12399', '": 7000'))
  expect(set('other', 'pi.local')).toBe(CONFIG.replace('null', '"pi.local"'))
  expect(set('friends', '["b", "c"]')).toBe(CONFIG.replace('["a"]', '["b", "c"]'))
  expect(set('friends', 'b, c')).toBe(CONFIG.replace('["a"]', '["b", "c"]'))
  expect(textWith('{"a": {"b": "5"}}', { section: 'a', key: 'b', value: '6' })).toBe('{"a": {"b": "6"}}')
  expect(set('nothing', '1')).toBeUndefined()
  expect(valueAt(`\uFEFF${CONFIG}`, 'hub.socket_port')).toBe(12_399)
  expect(() => withValue(CONFIG, { section: 'hub', key: 'x', value: '1' })).toThrow(
    'The configuration has no x in its section "hub".',
  )
})

test('what a reader has set on a Pi stays when a new configuration comes', () => {
  const theirs = CONFIG.replace('": 12399', '": 7000').replace('null', '"pi"')
  const fresh = CONFIG.replace('  "hub": {', '  "new": {},\n  "hub": {')
  expect(carriedOver(theirs, CONFIG, fresh)).toEqual({
    text: fresh.replace('": 12399', '": 7000').replace('null', '"pi"'),
    notices: ['is new, and keeps hub.socket_port = 7000', 'is new, and keeps hub.other = pi'],
  })
  const own = `${theirs}// mine\n`
  expect(carriedOver(own, CONFIG, fresh)).toEqual({
    text: own,
    notices: ['stays as you have changed it there'],
  })
})
