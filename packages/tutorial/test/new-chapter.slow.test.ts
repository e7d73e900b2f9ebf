/**
 * A chapter is added as its author does it, in a clean copy of the repository: made by the command, written
 * with three kinds of programs, and held against every check.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { allChapters } from '../src/chapters/chapters.ts'
import { CleanCopy } from '../src/checks/console-blocks.ts'
import { freePort, freePorts, programEnvironment } from '../src/run/environment.ts'
import { lengthenSeries } from './support/longer-series.ts'

const TUTORIAL = 'packages/tutorial/bin/tutorial.js'

const LONG = 600_000
vi.setConfig({ testTimeout: LONG, hookTimeout: LONG })

const newest = allChapters().at(-1)
const number = (newest?.number ?? 0) + 1
const before = newest?.name ?? ''
const name = `${String(number).padStart(2, '0')}-made-up`

/** The program of the newest chapter that others connect to, and the first that does. */
const peer =
  newest?.programs.find(({ name }) => newest.programs.some(({ connectsTo }) => connectsTo === name))?.name ??
  ''
const other =
  newest?.programs.find(({ name, connectsTo }) => connectsTo === peer && name !== peer)?.name ?? ''

/** Whether the nodes of the newest chapter are alike, and elect who leads. A made-up one has a single member. */
const elects = newest?.programs.some(({ name, connectsTo }) => name === connectsTo) ?? false

/** The program's file in which it says what to do with messages. */
const handling = elects ? 'primary' : peer

/** Where the made-up chapter's third program listens. */
const VISITOR_PORT = 8124

let clone: string
let dispose: () => void

beforeAll(async () => {
  const copy = await CleanCopy.make()
  clone = copy.folder
  dispose = () => copy.dispose()
  lengthenSeries(clone, number)
})

afterAll(() => dispose())

/** Runs a command in the copy, under a fast clock and on ports of its own. */
async function run(command: string, args: string[], speed = 10) {
  const ports = await freePorts(allChapters())
  ports.set(VISITOR_PORT, await freePort())
  const { all, exitCode } = await execa(command, args, {
    cwd: clone,
    all: true,
    reject: false,
    preferLocal: true,
    localDir: clone,
    env: { ...programEnvironment({ ports, speed }), CI: '', NO_COLOR: '1' },
    extendEnv: false,
  })
  return { all, lines: all.split('\n').filter(Boolean), exitCode }
}

const tutorial = (...args: string[]) => run(process.execPath, [TUTORIAL, ...args])

const vitest = (...args: string[]) => run('vitest', ['run', ...args], 1)

const read = (file: string) => readFileSync(join(clone, file), 'utf8')

function write(file: string, text: string): void {
  mkdirSync(dirname(join(clone, file)), { recursive: true })
  writeFileSync(join(clone, file), text)
}

function change(file: string, ...changes: [from: string | RegExp, to: string][]): void {
  let text = read(file)
  for (const [from, to] of changes) {
    const changed = text.replace(from, () => to)
    expect(changed, `${from} in ${file}`).not.toBe(text)
    text = changed
  }
  write(file, text)
}

test('a folder that was copied by hand is red, with everything that is still of the other chapter', async () => {
  const copied = join(clone, 'chapters', name)
  cpSync(join(clone, 'chapters', before), copied, {
    recursive: true,
    filter: (path) => !path.includes('node_modules'),
  })
  change(`chapters/${name}/package.json`, [`"name": "${before}"`, `"name": "${name}"`])
  const { lines, exitCode } = await tutorial('texts')
  rmSync(copied, { recursive: true })
  expect(exitCode).toBe(1)
  expect(lines).toEqual(
    expect.arrayContaining([
      `chapters/${name}/package.json: scripts.test is "vitest run --root ../.. --project ${before}", and is to be "vitest run --root ../.. --project ${name}"`,
      expect.stringContaining(
        `chapters/${name}/README.md:1: its heading is to begin with "# ${name.slice(0, 2)}: "`,
      ),
      expect.stringContaining(`chapters/${name}/README.md: its heading is that of ${before}: `),
      expect.stringContaining(`chapters/${name}/package.json: description is that of ${before}: `),
      expect.stringMatching(/^README\.md:\d+: the list of the chapters is stale/),
      expect.stringContaining(`chapters/${before}/README.md: it does not link the chapter that comes next`),
    ]),
  )
})

test('what cannot be a chapter is refused, and nothing is made', async () => {
  const refused: [args: string[], answer: string][] = [
    [['7-x', 'Title'], '"7-x" is no name of a chapter.'],
    [['99-x', 'Title'], `${name.slice(0, 2)} comes next, after ${before}: chapters have no gaps.`],
    [
      [`${before.slice(0, 2)}-x`, 'Title'],
      `${before.slice(0, 2)} is taken: ${before} is there. ${name.slice(0, 2)} comes next.`,
    ],
    [[name], `${name} needs a title, the heading of its README: pnpm chapters --new ${name} "Its title"`],
    [[name, 'sockets'], '03-sockets has the title "Sockets" already.'],
    [[name, 'Title', '--core', 'sockets'], 'packages/core/src/sockets.ts is there, since chapter 03.'],
  ]
  const answers = await Promise.all(refused.map(([args]) => tutorial('chapters', '--new', ...args)))
  for (const [index, { all, exitCode }] of answers.entries()) {
    expect(all).toContain(refused[index]?.[1])
    expect(all).not.toMatch(/^\s+at /m)
    expect(exitCode).toBe(2)
  }
  expect(existsSync(join(clone, 'chapters', name))).toBe(false)
})

test('the skeleton runs, and is red until its author has written it', async () => {
  const made = await tutorial('chapters', '--new', name, 'A gateway', '--core', 'greeting')
  expect(made.exitCode).toBe(0)
  expect(made.lines[0]).toBe(
    `chapters/${name} is there, with the programs of ${before}. What you are to write is marked [write: ...]. In this order:`,
  )
  const [texts, own, list, install] = await Promise.all([
    tutorial('texts'),
    vitest('--project', name, 'new'),
    tutorial('chapters'),
    run('npx', ['-y', 'pnpm@12', 'install', '--frozen-lockfile', '--offline']),
  ])
  expect(install.exitCode, install.all).toBe(0) // the lockfile has it
  expect(list.all).toContain('A gateway')
  // What is shown beside the text is made anew; what its programs read is theirs.
  const sources = (chapter: string) => readdirSync(join(clone, 'chapters', chapter, 'src'))
  expect(sources(name)).toEqual(sources(before))
  expect(own.exitCode).toBe(1)
  expect(own.all).toMatch(/AssertionError: .*\[write: /)
  expect(texts.exitCode).toBe(1)
  // Every line is about something to write, or the link to it from the chapter before.
  const others = texts.lines.filter((line) => !/^\S+:\d+: still to be written: /.test(line))
  expect(others).toEqual([
    `chapters/${before}/README.md: it does not link the chapter that comes next, ../${name}/README.md`,
  ])
  const files = new Set(texts.lines.map((line) => line.split(':')[0]))
  expect([...files].sort()).toEqual(
    [
      `.changeset/${name}.md`,
      `chapters/${before}/README.md`,
      `chapters/${name}/README.md`,
      `chapters/${name}/package.json`,
      `chapters/${name}/picture.yaml`,
      `chapters/${name}/test/new.test.ts`,
      'docs/core/greeting.md',
      'packages/core/README.md',
      'packages/core/src/greeting.ts',
    ].sort(),
  )
})

/**
 * Listens for visitors on a port of its own, and tells the first program of each: the third kind of program. It proves who it is
 * as the submitter of the newest chapter does, whose key it uses.
 */
function gateway(submitter: string): string {
  const [, secure = '', module = ''] =
    /import \{ (\w+By) \} from '(@rpi-cluster\/[\w/-]+)'/.exec(submitter) ?? []
  const own = `class Gateway extends ConnectingNode {
  override async greet() {
    await this.send('greeting', greeting('the gateway'))
  }

  override async performAction() {
    await this.send('info', 'node_baseinfo')
    await this.pause(4_000)
  }
}`
  if (elects)
    return `import { ElectionWatch } from '@rpi-cluster/core/election'
import { greeting } from '@rpi-cluster/core/greeting'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { ${secure} } from '${module}'
import { listen } from '@rpi-cluster/core/sockets'
import { config } from './config.ts'
import { LeaderLink, wayTo } from './leader-link.ts'

const stop = stopSignal()
const log = createLogger('gateway')
const { cluster, submitter, gateway } = loadJsonConfig(config, ['cluster', 'submitter', 'gateway'], log)
const { members } = cluster
const secure = ${secure}(await openKey({ file: submitter.key, log, stop }))
const link = new LeaderLink()

${own}

const visitors = { peer: 'visitor', host: '127.0.0.1', port: gateway.visitorPort, stop, log }
const server = await listen(visitors, (visitor) => link.send('greeting', greeting(visitor.address)))
log.info(\`Open at \${server.address}\`)
await new ElectionWatch({ members, secure, log, stop }).follow(async (leader, over) => {
  await link.run(leader, new Gateway({ ...wayTo(leader, members), secure, stop: over, log }))
})
`
  return `import { greeting } from '@rpi-cluster/core/greeting'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { ${secure} } from '${module}'
import { listen } from '@rpi-cluster/core/sockets'
import { config } from './config.ts'

const stop = stopSignal()
const log = createLogger('gateway')
const { ${other}: there, submitter, gateway } = loadJsonConfig(config, ['${other}', 'submitter', 'gateway'], log)
const { primaryIp: host, socketPort: port } = there
const key = await openKey({ file: submitter.key, log, stop })

${own}

const node = new Gateway({ peer: '${peer}', host, port, secure: ${secure}(key), stop, log })
const visitors = { peer: 'visitor', host: '127.0.0.1', port: gateway.visitorPort, stop, log }
const server = await listen(visitors, (visitor) => node.send('greeting', greeting(visitor.address)))
log.info(\`Open at \${server.address}\`)
await node.run()
`
}

/** Writes the chapter, as its author would. */
function beAuthor(): void {
  const folder = `chapters/${name}`
  write(`${folder}/src/gateway.ts`, gateway(read(`${folder}/src/submitter.ts`)))
  change(`${folder}/src/config.ts`, [
    '  webserver: {\n',
    `  gateway: {
    description: 'Lets visitors in.',
    keys: { visitor_port: { schema: port, description: 'The port for visitors.' } },
  },
  webserver: {
`,
  ])
  change(`${folder}/rpicluster.json`, [
    '  "webserver": {\n',
    `  "gateway": {
    // The port for visitors.
    "visitor_port": ${VISITOR_PORT}
  },

  "webserver": {
`,
  ])
  const [start = '', indent = ''] =
    /^( +)override handlers.*\{\n/m.exec(read(`${folder}/src/${handling}.ts`)) ?? []
  const next = "import { ListeningNode } from '@rpi-cluster/core/node'\n"
  change(
    `${folder}/src/${handling}.ts`,
    [start, `${start}${indent}  greeting: (text: unknown) => log.info(\`Greeted: \${textOf(text)}\`),\n`],
    [next, `import { textOf } from '@rpi-cluster/core/messages'\n${next}`],
  )
  if (elects) {
    const config = `${folder}/rpicluster.json`
    write(
      config,
      read(config)
        .replace(/,\n +"node-\d": \{[^}]*\}/g, '')
        .replace(/("founders": )\[[^\]]*\]/, '$1["node-1"]'),
    )
  }
  const pkg = JSON.parse(read(`${folder}/package.json`))
  pkg.description = 'A third kind of program, which lets visitors in'
  pkg.homepage = 'https://chewett.co.uk/blog/9999/a-gateway/'
  pkg.scripts.gateway = 'node --import tsx src/gateway.ts'
  const { programs } = pkg.cluster
  pkg.cluster.programs = {
    [peer]: elects ? { ...programs[peer], copies: 1, many: undefined } : programs[peer],
    gateway: {
      ready: 'Connected to',
      listens: ['gateway.visitor_port'],
      connectsTo: peer,
      withoutPeer: 'waits',
    },
    [other]: { ...programs[other], copies: 1 }, // several would say their lines in any order
  }
  write(`${folder}/package.json`, `${JSON.stringify(pkg, undefined, 2)}\n`)
  write(
    `${folder}/test/new.test.ts`,
    `import { type ChapterCopy, talkTo, test } from '@rpi-cluster/tutorial/harness'

async function withGateway(chapter: ChapterCopy, visit: () => Promise<string> = async () => '') {
  const first = await chapter.run('${peer}')
  await first.says(/Listening on/)
  const gateway = await chapter.run('gateway').catch(() => {})
  await gateway?.says(/Connected to/)
  const visitor = await visit()
  await gateway?.stop()
  if (gateway) await first.says(/has left/)
  await first.stop()
  return { messages: first.messages, visitor }
}

test('the ${peer} prints a greeting', async ({ chapter, expect }) => {
  const { messages } = await withGateway(chapter)
  expect(messages).toContain('Greeted: hello from the gateway')
})

test('a visitor of the gateway is announced to the ${peer}', async ({ chapter, expect }) => {
  const [port = 0] = chapter.portsOf('gateway')
  const { messages, visitor } = await withGateway(chapter, () => talkTo(port, '').catch(() => 'nobody'))
  expect(messages).toContain(\`Greeted: hello from \${visitor}\`)
})
`,
  )

  write(
    'packages/core/src/greeting.ts',
    `/**
 * How nodes greet each other.
 *
 * @since 0.${number}.0
 */

/** A greeting by the one that is named. */
export function greeting(name: string): string {
  return \`hello from \${name}\`
}
`,
  )
  const written = (file: string) =>
    write(file, read(file).replace(/\[write: ([^\]]+)\]/g, 'Here it is said ($1).'))
  written(`.changeset/${name}.md`)
  written('packages/core/README.md')
  change('docs/core/greeting.md', [
    '[write: How it works]',
    '[`greeting`](../../packages/core/src/greeting.ts#greeting) says hello.',
  ])
  written('docs/core/greeting.md')
  change(`chapters/${before}/README.md`, [
    '## Where next\n',
    `## Where next\n\nVisitors come in [the next chapter](../${name}/README.md).\n`,
  ])
  change(
    `${folder}/README.md`,
    [
      '[write: that it re-creates the post, with a link to it]',
      'It re-creates [a post](https://chewett.co.uk/blog/9999/a-gateway/).',
    ],
    ['[write: how many minutes] to run and try.', '15 to run and try.'],
    [
      '## Try it\n',
      `### The gateway\n\nIt tells the ${peer} of each visitor.\n\n\`\`\`ts program=src/gateway.ts\n\`\`\`\n\nIts configuration has [a section](src/config.ts#config) of its own.\n\n## Try it\n`,
    ],
  )
  for (const changed of ['config', handling]) {
    const shown = read(`${folder}/README.md`)
    write(
      `${folder}/README.md`,
      shown.replaceAll(`\`\`\`ts program=src/${changed}.ts`, `\`\`\`diff program=src/${changed}.ts`),
    )
  }
  written(`${folder}/README.md`)
  write(
    `${folder}/picture.yaml`,
    `title: A gateway
alt: A gateway, which is new, tells the ${peer} of each visitor. A ${other} is there, too.
rows:
  - gateway: { new: true }
  - ${peer}:
  - ${other}:
arrows:
  - { from: gateway, to: ${peer}, code: "type: greeting", new: true }
  - { from: ${other}, to: ${peer}, code: "type: message" }
`,
  )
}

test('a chapter with three kinds of programs passes every check, and every tool knows it', async () => {
  beAuthor()
  expect((await tutorial('sync', '--no-console')).lines).toEqual(
    expect.arrayContaining([`chapters/${name}/README.md`, `chapters/${name}/picture.svg`]),
  )

  // In real time, as an author runs it, so that the lines are in their usual order.
  const started = await run(process.execPath, [TUTORIAL, 'start', '--for', '8s'], 1)
  expect(started.exitCode, started.all).toBe(0)
  const said = (program: string, text: string) => new RegExp(`^${program} *\\| .*${text}`, 'm')
  expect(started.all).toMatch(said(peer, 'Listening on 127\\.0\\.0\\.1:\\d+$'))
  expect(started.all).toMatch(said('gateway', 'Open at 127\\.0\\.0\\.1:\\d+$'))
  expect(started.all).toMatch(said(peer, 'Greeted: hello from the gateway$'))
  expect(started.all).toMatch(said(other, 'Connected to'))
  const example = `$ pnpm --filter ${name} start --for 8s\n`
  // What a program says by a clock of its own, a busy machine may leave out of eight seconds.
  const lasting = ['Listening on', 'Open at', 'Greeted: hello from the gateway']
  const shown = lasting.map((text) => started.lines.find((line) => line.includes(text)) ?? '')
  const elided = ['...', ...shown.flatMap((line) => [line, '...'])].join('\n')
  change(`chapters/${name}/README.md`, [example, `${example}${elided}\n`])
  await tutorial('sync', '--no-console') // it takes a little longer to read now
  expect(read('README.md')).toMatch(
    new RegExp(
      `^### Part II: A cluster that stays up\n[\\s\\S]*^\\| ${name.slice(0, 2)} \\| .* \\| \\d+ \\+ 15 \\|`,
      'm',
    ),
  )

  const recorded = await run(process.execPath, [TUTORIAL, 'record', String(number)], 1)
  expect(recorded.exitCode, recorded.all).toBe(0)
  const wire = JSON.parse(read(`docs/recordings/${name}.wire.json`))
  const others = elects ? [other] : [`${other} 1`, `${other} 2`]
  expect(wire.lanes).toEqual([peer, 'gateway', ...others])
  expect(new Set(wire.connections.map(({ lane }: { lane: string }) => lane))).toEqual(
    new Set(['gateway', ...others]),
  )

  const texts = await tutorial('texts')
  expect(texts.all).toBe('')
  const own = await vitest('--project', name, '--reporter', 'verbose')
  expect(own.exitCode, own.all).toBe(0)
  for (const promise of [
    'a log file that the gateway cannot write is one line',
    `a gateway waits for its ${peer}, also after it has lost it`,
    'a gateway whose port is taken says so',
  ])
    expect(own.all).toContain(promise)

  const stat = await tutorial('diff', String(number), '--stat')
  expect(stat.all).toContain('added    src/gateway.ts')
  expect(stat.all).toContain(`The core gained: greeting (0.${number}.0).`)
  const bundled = await tutorial('bundle', String(number), '--out', 'bundled')
  expect(bundled.exitCode, bundled.all).toBe(0)
  expect(read('bundled/gateway.js')).toContain('hello from')
  expect(read('bundled/rpicluster.json')).toContain(`"visitor_port": ${VISITOR_PORT}`)

  const practice = await tutorial('practice', String(number))
  expect(practice.exitCode, practice.all).toBe(0)
  expect((await tutorial('practice', String(number), '--hint')).all).toContain(`practice/${name}`)
  const checked = await tutorial('practice', String(number), '--check')
  expect(checked.lines).toContain(`practice/${name}: 0 of 2 promises kept`)
})

test('the checks of the repository pass with it', async () => {
  const pnpm = (...args: string[]) => run('npx', ['-y', 'pnpm@12', ...args], 1)
  rmSync(join(clone, 'bundled'), { recursive: true, force: true })
  await pnpm('--dir', 'tools', 'install', '--frozen-lockfile', '--prefer-offline')
  const fixed = await pnpm('--dir', 'tools', 'fix')
  expect(fixed.exitCode, fixed.all).toBe(0)
  await tutorial('sync', '--no-console')
  for (const command of [
    ['exec', 'tsc'],
    ['--dir', 'tools', 'lint'],
  ]) {
    const { all, exitCode } = await pnpm(...command)
    expect(exitCode, all).toBe(0)
  }
  const suites = await vitest(
    '--project',
    '@rpi-cluster/tutorial',
    'growth',
    'cluster',
    'record',
    'texts.test',
    'consoles',
    '-t',
    `${name}|growth|younger|every chapter|the list of the chapters|every change|each chapter has`,
  )
  expect(suites.exitCode, suites.all).toBe(0)
})
