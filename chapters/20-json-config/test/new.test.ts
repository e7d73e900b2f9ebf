import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ChapterCopy, test } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'

const PORT = 'RPI_CLUSTER_PRIMARY_SOCKET_PORT'

/** Runs the primary to its end, and returns what it prints. */
async function printed(
  chapter: ChapterCopy,
  ...[args, env = {}]: [string[], Record<string, string>?]
): Promise<readonly string[]> {
  const program = await chapter.run('primary', { args, env })
  await program.stop()
  return program.lines
}

test('its configuration is JSON, with comments and a comma too many; the environment stands above it', async ({
  chapter,
}) => {
  expect(existsSync(join(chapter.folder, 'rpicluster.json'))).toBe(true)
  const file = `// mine
{ "primary": { "socket_port": 1, /* the environment has it */ "socket_bind_ip": "127.0.0.1", }, }`
  await chapter.write('mine.json', file)
  const primary = await chapter.run('primary', {
    args: ['--config', join(chapter.folder, 'mine.json')],
    env: { [PORT]: String(chapter.port), RPI_CLUSTER_PRIMARY_INFLUXDB_PASSWORD: 'sesame' },
  })
  await primary.says(/ Listening on /)
  expect(primary.messages[0]).toMatch(
    /^The configuration is \S+mine\.json; from the environment: primary\.socket_port, primary\.influxdb_password; by default: .*primary\.raw_days/,
  )
  await primary.stop()
  const log = readFileSync(join(chapter.folder, 'primary.log'), 'utf8')
  for (const text of [
    `Listening on 127.0.0.1:${chapter.port}`,
    `primary.socket_port is ${chapter.port}, from ${PORT}`,
    String.raw`primary.influxdb_password is \"(secret)\"`,
    'mine.json:2:81',
  ])
    expect(log).toContain(text)
  expect(log).not.toContain('sesame')
})

test('what is wrong is told at once: line and column, what was found, what would be right, the nearest name', async ({
  chapter,
}) => {
  await chapter.write(
    'rpicluster.json',
    '{\n  "primary": {\n    "socket_prot": 12345,\n    "socket_bind_ip": "everywhere"\n  }\n}',
  )
  const primary = await chapter.run('primary', { env: { RPI_CLUSTER_PRIMARY_RAW_DAYS: 'many' } })
  await primary.stop()
  const file = join(chapter.folder, 'rpicluster.json')
  expect(primary.messages).toHaveLength(3)
  expect(primary.messages).toEqual(
    expect.arrayContaining([
      `${file}:2:3 primary.socket_port is missing. It takes a whole number from 1 to 65535. socket_prot is there, at ${file}:3:20: is that socket_port, misspelled?`,
      `${file}:4:23 primary.socket_bind_ip is "everywhere". It takes an IP address of this machine, or nothing at all ("") for every interface.`,
      'The environment variable RPI_CLUSTER_PRIMARY_RAW_DAYS is "many". It takes a whole number from 1 to 30.',
    ]),
  )
  expect(primary.exitCode).toBe(1)
})

test('--print-config shows what is in force, and where each value comes from; no secret', async ({
  chapter,
}) => {
  const lines = await printed(chapter, ['--print-config'], {
    [PORT]: '1234',
    RPI_CLUSTER_PRIMARY_INFLUXDB_PASSWORD: 'sesame',
  })
  expect(lines).toContain(`    "socket_port": 1234, // ${PORT}`)
  expect(lines).toContain('    "influxdb_password": "(secret)" // RPI_CLUSTER_PRIMARY_INFLUXDB_PASSWORD')
  expect(lines.join('\n')).toMatch(/^ {4}"socket_bind_ip": "127\.0\.0\.1", \/\/ rpicluster\.json:\d+:\d+$/m)
})

test('a file of before is read as it is, and --migrate writes the JSON file of it', async ({ chapter }) => {
  await chapter.write(
    'old.cfg',
    `[master]\n; Mine.\nsocket_port = ${chapter.port}\nsocket_bind_ip = 127.0.0.1\n`,
  )
  const old = join(chapter.folder, 'old.cfg')
  const before = await chapter.run('primary', { args: ['--config', old] })
  await before.says(/ Listening on /)
  expect(before.messages).toContain(`The configuration is ${old}, an INI file: --migrate makes JSON of it`)
  await before.stop()

  expect((await printed(chapter, ['--migrate', old]))[0]).toMatch(/^Wrote \S+old\.json: /)
  const written = readFileSync(join(chapter.folder, 'old.json'), 'utf8')
  expect(written).toMatch(/"primary": \{\s+\/\/ Mine\.\s+"socket_port": \d+,/)
  const after = await chapter.run('primary', { args: ['--config', join(chapter.folder, 'old.json')] })
  await after.says(/ Listening on /)
  expect(after.messages[0]).toMatch(/^The configuration is \S+old\.json$/)
})

test('an editor finds its JSON Schema, which knows each name that there is', async ({ chapter }) => {
  expect(existsSync(join(chapter.folder, 'rpicluster.json'))).toBe(true)
  const text = readFileSync(join(chapter.folder, 'rpicluster.json'), 'utf8')
  const [, path = ''] = /"\$schema": "([^"]+)"/.exec(text) ?? []
  const { properties } = JSON.parse(readFileSync(join(chapter.folder, path), 'utf8'))
  const names = [...text.matchAll(/^ {4}"(\w+)":/gm)].map(([, name]) => name as string)
  const known = Object.values<{ properties?: Record<string, unknown> }>(properties)
  expect(names.length).toBeGreaterThan(10)
  for (const name of names) expect(known.some((section) => section.properties?.[name])).toBe(true)
})
