import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, isListening, test } from '@rpi-cluster/tutorial/harness'

test('the master listens where its configuration says', async ({ chapter, expect }) => {
  await chapter.run('master', { port: await freePort() })
  expect(await isListening(chapter.port)).toBe(true)
})

test('the slave connects where its configuration says', async ({ chapter, expect }) => {
  const master = await chapter.standIn()
  const slave = await chapter.run('slave', { port: await freePort() })
  await slave.says(/Connected to|Nobody listens/)
  expect(slave.messages.at(-1)).toContain(`Connected to 127.0.0.1:${chapter.port}`)
  await master.receives(/^Hello World, I am client (\d+)(I am still alive, client: \1){6}$/)
  expect(slave.mostTurns(5_000)).toBeGreaterThanOrEqual(6)
})

test('--config FILE counts from the folder where the reader typed', async ({ chapter, expect }) => {
  const port = await freePort()
  await mkdir(join(chapter.folder, 'elsewhere'))
  await chapter.write('elsewhere/mine.cfg', `[master]\nsocket_port = ${port}\nsocket_bind_ip =\n`)
  await chapter.run('master', { args: ['--config', 'mine.cfg'], from: join(chapter.folder, 'elsewhere') })
  expect(await isListening(port)).toBe(true)
})

test('everything that is wrong is told at once, a line for each', async ({ chapter, expect }) => {
  await chapter.write('rpicluster.cfg', '[slave]\nsocket_port = 123456\n')
  const slave = await chapter.run('slave')
  await slave.stop()
  const where = `${join(chapter.folder, 'rpicluster.cfg')} [slave]`
  expect(slave.messages).toEqual([
    `${where.replace(' [', ':2 [')} socket_port is "123456". It takes a whole number from 1 to 65535.`,
    `${where} master_ip is missing. It takes a host name or an IP address, such as 127.0.0.1.`,
  ])
  expect(slave.exitCode).toBe(1)
})

test('without its configuration a program says which file it wants', async ({ chapter, expect }) => {
  await rm(join(chapter.folder, 'rpicluster.cfg'), { force: true })
  const master = await chapter.run('master')
  await master.stop()
  const file = join(chapter.folder, 'rpicluster.cfg')
  expect(master.messages).toEqual([
    `There is no configuration file ${file}. Create it, or name another with --config FILE.`,
  ])
  expect(master.exitCode).toBe(1)
})

test('a key that it does not know is a warning, with the name that was probably meant', async ({
  chapter,
  expect,
}) => {
  const section = `[master]\nsocket_port = ${chapter.port}\nsocket_bind_ip = 127.0.0.1\n`
  await chapter.write('rpicluster.cfg', `${section}socket_prot = 1\n`)
  const master = await chapter.run('master')
  expect(master.messages[0]).toMatch(
    / \[master\] socket_prot is not known here, and is ignored\. Did you mean socket_port\?$/,
  )
})
