import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { host, port } from '../src/config.ts'
import { type Answers, Dialogue, Refusal } from '../src/dialogue.ts'
import type { OperationalError } from '../src/lifecycle.ts'
import { type Handlers, send } from '../src/messages.ts'
import { loadRenamedConfig, Names } from '../src/names.ts'
import { connectedPair, recordingLog, tempFolder } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

const names = () => new Names('new', { old_info: 'new_info', old_list: 'new_list' })

/** Two ends of a connection: one answers, the other asks, and takes down what else comes. */
async function talk(answers: Answers, handlers: Handlers = {}) {
  const { master, slave } = await connectedPair()
  const unknown = vi.fn()
  new Dialogue(master, { answers, handlers, unknown: () => {} }).ended.catch(() => {})
  const asker = new Dialogue(slave, { unknown })
  asker.ended.catch(() => {})
  return { asker, unknown, slave, master }
}

describe('on the wire', () => {
  const answers = {
    info: () => ({ type: 'new_info', payload: 1 }),
    new_list: () => ({ type: 'new_list', payload: 2 }),
  }

  test('who asks by a former name is answered by the former one, and by a new name by the new one', async () => {
    const { asker } = await talk(names().answers(answers))
    expect(await asker.ask('old_list', { answer: 'old_list' })).toBe(2)
    expect(await asker.ask('new_list', { answer: 'new_list' })).toBe(2)
  })

  test('what is called as before is answered by the former name, until the peer has shown that it knows the new one', async () => {
    const ours = names()
    const { asker, slave } = await talk(ours.answers(answers), {
      details: (details, peer) => ours.introduce(peer, details),
    })
    expect(await asker.ask('info', { answer: 'old_info' })).toBe(1)
    for (const none of [null, 7, { names: 'other' }]) await send(slave, 'details', none)
    expect(await asker.ask('info', { answer: 'old_info' })).toBe(1)
    await send(slave, 'details', ours.mark)
    expect(await asker.ask('info', { answer: 'new_info' })).toBe(1)
  })

  test('a new question shows it as well, and each peer for itself', async () => {
    const ours = names()
    const first = await talk(ours.answers(answers))
    const second = await talk(ours.answers(answers))
    await first.asker.ask('new_list', { answer: 'new_list' })
    expect(await first.asker.ask('info', { answer: 'new_info' })).toBe(1)
    expect(await second.asker.ask('info', { answer: 'old_info' })).toBe(1)
  })

  test('a handler takes what comes under either name; a new one shows that its peer knows it', async () => {
    const ours = names()
    const taken = vi.fn()
    const { slave, master } = await talk({}, ours.handlers({ new_info: taken }))
    await send(slave, 'old_info', 1)
    await vi.waitFor(() => expect(taken).toHaveBeenLastCalledWith(1, master), PATIENCE)
    expect(ours.to(master, 'new_info')).toBe('old_info')
    await send(slave, 'new_info', 2)
    await vi.waitFor(() => expect(taken).toHaveBeenLastCalledWith(2, master), PATIENCE)
    expect(ours.to(master, 'new_info')).toBe('new_info')
    expect(ours.to(master, 'never_renamed')).toBe('never_renamed')
  })

  test('what a question is about goes along, under either name', async () => {
    const echo = (type: string) => (_: unknown, about: unknown) => ({ type, payload: about })
    const now = await talk(names().answers({ new_list: echo('new_list') }))
    const options = { answer: 'new_list', about: { of: 7 } }
    expect(await names().ask(now.asker, 'new_list', options)).toEqual({ of: 7 })
    const former = await talk(names().answers({ new_list: echo('new_list') }))
    expect(await former.asker.ask('old_list', { answer: 'old_list', about: 8 })).toBe(8)
    const old = await talk({ old_list: echo('old_list') })
    expect(await names().ask(old.asker, 'new_list', options)).toEqual({ of: 7 })
  })

  test('an answer that refuses does so under either name', async () => {
    const { asker } = await talk(names().answers({ new_list: () => undefined }))
    for (const name of ['new_list', 'old_list'])
      await expect(asker.ask(name, { answer: name })).rejects.toThrow(Refusal)
  })

  test('who has refused the new name is asked by the former one from then on; what it is called follows that', async () => {
    const ours = names()
    const asked: string[] = []
    const answer = (type: string) => () => {
      asked.push(type)
      return { type, payload: 1 }
    }
    const unknown = vi.fn()
    const { master, slave } = await connectedPair()
    new Dialogue(master, {
      answers: { old_list: answer('old_list'), new_info: answer('new_info') },
      unknown,
    }).ended.catch(() => {})
    const asker = new Dialogue(slave, { unknown: () => {} })
    asker.ended.catch(() => {})
    const askList = () => ours.ask(asker, 'new_list', { answer: 'new_list' })
    expect(ours.to(asker, 'new_list')).toBe('old_list')
    await askList()
    await askList()
    expect(unknown).toHaveBeenCalledOnce()
    await ours.ask(asker, 'new_info', { answer: 'new_info' })
    expect([ours.to(asker, 'new_list'), ours.to(asker, 'new_info')]).toEqual(['old_list', 'new_info'])
    expect(asked).toEqual(['old_list', 'old_list', 'new_info'])
  })

  test('another connection of who asks is another peer', async () => {
    const ours = names()
    const old = await talk({ old_list: () => ({ type: 'old_list', payload: 3 }) })
    const now = await talk({ new_list: () => ({ type: 'new_list', payload: 4 }) })
    const node = {
      peer: old,
      over: new AbortController().signal,
      ask: (...args: Parameters<Dialogue['ask']>) => node.peer.asker.ask(...args),
    }
    const learn = () => ours.learn(node, 'new_list', { answer: 'new_list' })
    expect(await learn()).toBe('old_list')
    node.peer = now
    node.over = new AbortController().signal
    expect(ours.to(node, 'new_list')).toBe('old_list')
    expect(await learn()).toBe('new_list')
  })

  test('it asks by the new name, and by the former one when that is refused', async () => {
    const old = await talk({ old_list: () => ({ type: 'old_list', payload: 3 }) })
    expect(await names().ask(old.asker, 'new_list', { answer: 'new_list' })).toBe(3)
    const neither = await talk({})
    await expect(names().ask(neither.asker, 'new_list', { answer: 'new_list' })).rejects.toThrow(Refusal)
    const other = await talk({ info: () => ({ type: 'other', payload: 1 }) })
    await expect(names().ask(other.asker, 'info', { answer: 'new_info' })).rejects.toThrow(
      /one of the type other, where new_info or old_info is expected\.$/,
    )
  })
})

describe('in a configuration', () => {
  const shape = {
    section: 'new',
    formerSection: 'old',
    keys: { socket_port: port, new_ip: host },
    formerKeys: { new_ip: 'old_ip' },
  }

  /** What it reads, and what it warns of; `FILE` stands for the path. */
  function load(text: string) {
    const path = join(tempFolder(), 'rpicluster.cfg')
    writeFileSync(path, text)
    const before = process.argv
    process.argv = [process.execPath, '', '--config', path]
    onTestFinished(() => {
      process.argv = before
    })
    const { log, records } = recordingLog()
    const told = (texts: readonly string[]) => texts.map((one) => one.replaceAll(path, 'FILE'))
    try {
      return { config: loadRenamedConfig(shape, log), warnings: told(records.map(({ msg }) => msg)) }
    } catch (error) {
      return { problems: told((error as OperationalError).problems) }
    }
  }

  const config = { socketPort: 1, newIp: 'pi' }

  test('former names are read, and each is a warning with its line', () => {
    expect(load('\n[old]\nsocket_port = 1\nold_ip = pi\n')).toEqual({
      config,
      warnings: [
        'FILE:2 [old] is called [new] now. It is read as before; write [new].',
        'FILE:4 [new] old_ip is called new_ip now. It is read as before; write new_ip.',
      ],
    })
    expect(load('[new]\nsocket_port = 1\nold_ip = pi\n').warnings).toEqual([
      'FILE:3 [new] old_ip is called new_ip now. It is read as before; write new_ip.',
    ])
  })

  test('new names are read, and nothing is said; where both stand the new one counts', () => {
    expect(load('[new]\nsocket_port = 1\nnew_ip = pi\n')).toEqual({ config, warnings: [] })
    const both = '[old]\nsocket_port = 2\nold_ip = x\n[new]\nsocket_port = 1\nold_ip = y\nnew_ip = pi\n'
    expect(load(both)).toEqual({ config, warnings: [] })
  })

  test('what is wrong is told by the new name, and with the line on which it stands', () => {
    expect(load('[old]\nsocket_port = x\nold_ip = pi\n').problems).toEqual([
      'FILE:2 [new] socket_port is "x". It takes a whole number from 1 to 65535.',
    ])
    expect(load('[other]\nx = 1\n').problems).toEqual(['FILE has no section [new]. It has [other].'])
  })
})
