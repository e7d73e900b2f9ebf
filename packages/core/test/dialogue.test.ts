import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { type Answers, Dialogue, type DialogueOptions, Refusal } from '../src/dialogue.ts'
import { receive, send as sendJson } from '../src/json-lines.ts'
import { OperationalError } from '../src/lifecycle.ts'
import { envelope, send } from '../src/messages.ts'
import type { Connection } from '../src/sockets.ts'
import { connectedPair } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

/** A question, as it is on the wire. */
interface Asked {
  type: string
  payload: unknown
  id: number
}

/** An asker, and the other end of its connection, which this test speaks for by hand. */
async function asker(options: Partial<DialogueOptions> = {}) {
  const { master, slave } = await connectedPair()
  const unknown = vi.fn()
  const dialogue = new Dialogue(slave, { unknown, ...options })
  const ended = dialogue.ended.then(
    () => 'ended' as const,
    (error: Error) => error,
  )
  const asked: Asked[] = []
  void readInto(asked, master).catch(() => {}) // when it is lost
  return {
    dialogue,
    master,
    slave,
    unknown,
    ended,
    /** What it has asked, once there is so much. */
    async asked(count: number) {
      await vi.waitFor(() => expect(asked).toHaveLength(count), PATIENCE)
      return asked
    },
  }
}

async function readInto(asked: Asked[], master: Connection): Promise<void> {
  const schema = { schema: envelope, accepts: (message: unknown): message is Asked => Boolean(message) }
  for await (const message of receive(master, schema)) asked.push(message as Asked)
}

/** What comes of a question. */
const outcome = (answer: Promise<unknown>) =>
  answer.then(
    (payload) => payload,
    (error: Error) => error,
  )

const details = { answer: 'master_info' }

/** The two kinds of peers: those of this core repeat the id, those in Python do not know it. */
const kinds = [
  { kind: 'repeats ids', idOf: ({ id }: Asked) => ({ id }) },
  { kind: 'repeats no ids', idOf: (_: Asked) => ({}) },
]

describe.each(kinds)('a peer that $kind', ({ kind, idOf }) => {
  const repeatsIds = kind === 'repeats ids'

  /** Answers the question of this number, from 1 on. */
  const answer = (master: Connection, question: Asked | undefined, payload: unknown, type = 'master_info') =>
    sendJson(master, { type, payload, ...idOf(question as Asked) })

  /** An asker that has asked once, and was answered: so it knows the kind. */
  async function acquainted() {
    const ends = await asker()
    const first = ends.dialogue.ask('computer_details', details)
    const [question] = await ends.asked(1)
    await answer(ends.master, question, 'hello')
    expect(await first).toBe('hello')
    return ends
  }

  test('has its answers found, however many questions are open, and messages between them handled', async () => {
    const message = vi.fn()
    const { dialogue, master, slave, asked, unknown } = await asker({ handlers: { message } })
    const answers = [1, 2, 3].map(() => dialogue.ask('computer_details', details))
    await send(slave, 'message', 'a beat goes out')
    const [first, second, third, beat] = await asked(4)
    expect([first, second, third].map((question) => question?.payload)).toEqual(
      Array(3).fill('computer_details'),
    )
    expect(beat).toEqual({ type: 'message', payload: 'a beat goes out' })
    await answer(master, first, 'first')
    await send(master, 'message', 'between')
    await answer(master, second, { second: [null] })
    await answer(master, third, null)
    expect(await Promise.all(answers)).toEqual(['first', { second: [null] }, null])
    expect(message).toHaveBeenCalledExactlyOnceWith('between', slave)
    expect(unknown).not.toHaveBeenCalled()
  })

  test('may refuse', async () => {
    const { dialogue, master, asked } = await acquainted()
    const refused = outcome(dialogue.ask('pizza', { answer: 'pizza' }))
    const again = dialogue.ask('computer_details', details)
    const [, second, third] = await asked(3)
    await answer(master, second, 'unknown', 'bad_message')
    await answer(master, third, 'still here')
    expect(await refused).toBeInstanceOf(Refusal)
    expect(String(await refused)).toMatch(
      /^Refusal: The question "pizza" is refused by the master at 127\.0\.0\.1:\d+: unknown\.$/,
    )
    expect(await again).toBe('still here')
  })

  test('may answer out of turn: the answers are told apart, or no more is believed', async () => {
    const { dialogue, master, asked, ended } = await acquainted()
    const info = outcome(dialogue.ask('computer_details', details))
    const list = outcome(dialogue.ask('slave_details', { answer: 'slave_details' }))
    const [, second, third] = await asked(3)
    await answer(master, third, ['the list'], 'slave_details')
    if (repeatsIds) {
      await answer(master, second, 'the info')
      expect([await info, await list]).toEqual(['the info', ['the list']])
      return
    }
    const why = expect.objectContaining({
      message: expect.stringMatching(
        /^The question "computer_details" has a wrong answer from the master at \S+: one of the type slave_details, where master_info is expected\.$/,
      ),
    })
    expect([await info, await list, await ended]).toEqual([why, why, why])
  })

  test('may answer with a type that nobody expects', async () => {
    const { dialogue, master, asked, ended, unknown } = await acquainted()
    const info = outcome(dialogue.ask('computer_details', details))
    const [, second] = await asked(2)
    await answer(master, second, 'of chapter 99', 'other_info')
    expect(await info).toMatchObject({
      message: expect.stringMatching(
        /one of the type other_info, where master_info is expected\. It says "of chapter 99"$/,
      ),
    })
    expect(unknown).not.toHaveBeenCalled()
    if (!repeatsIds) return expect(await ended).toBe(await info)
    const next = dialogue.ask('computer_details', details)
    await answer(master, (await asked(3))[2], 'well')
    expect(await next).toBe('well')
  })

  test('may answer twice: the second goes to no other question', async () => {
    const { dialogue, master, asked, ended } = await acquainted()
    const [first] = await asked(1)
    await answer(master, first, 'hello again')
    if (!repeatsIds) {
      expect(await ended).toMatchObject({
        message: expect.stringMatching(
          /^An answer from the master at \S+ belongs to no question: master_info, with hello again\.$/,
        ),
      })
      return
    }
    const next = dialogue.ask('computer_details', details)
    const [, second] = await asked(2)
    await answer(master, first, 'and again')
    await answer(master, second, 'well')
    expect(await next).toBe('well')
  })

  test('may answer late, or never: the asker waits no longer than it wants to', async () => {
    const { dialogue, master, asked, ended, slave } = await acquainted()
    const late = await outcome(dialogue.ask('computer_details', { ...details, timeoutMs: 50 }))
    expect(late).toBeInstanceOf(OperationalError)
    expect(String(late)).toMatch(
      /^OperationalError: No answer from the master at \S+ to "computer_details" in 0\.05 s\.$/,
    )
    if (!repeatsIds) {
      expect(await ended).toBe(late)
      const sent = () => send(slave, 'message', 'x')
      await vi.waitFor(() => expect(sent).toThrow((late as Error).message), PATIENCE)
      return
    }
    const next = dialogue.ask('computer_details', details)
    const [, second, third] = await asked(3)
    await answer(master, second, 'late')
    await answer(master, third, 'in time')
    expect(await next).toBe('in time')
  })

  test('is asked no more when the asker gives up, unless one can still say which answer is whose', async () => {
    const { dialogue, asked, ended } = await acquainted()
    const controller = new AbortController()
    const given = outcome(dialogue.ask('computer_details', { ...details, stop: controller.signal }))
    await asked(2)
    controller.abort()
    expect(await given).toBe(controller.signal.reason)
    if (!repeatsIds)
      return expect(await ended).toMatchObject({ message: expect.stringContaining('which answer is whose') })
    const next = outcome(dialogue.ask('computer_details', { ...details, timeoutMs: 1 }))
    expect(await next).toMatchObject({ message: expect.stringContaining('No answer') })
  })

  test('that leaves, or is lost, ends every open question at once', async () => {
    for (const leave of ['close', 'resetAndDestroy'] as const) {
      const { dialogue, master, asked, ended, slave } = await acquainted()
      const open = [1, 2].map(() => outcome(dialogue.ask('computer_details', details)))
      await asked(3)
      if (leave === 'close') await master.close()
      else master.socket.resetAndDestroy()
      for (const error of await Promise.all(open))
        expect(String(error)).toMatch(
          /^OperationalError: Lost the connection to the master at \S+: the other end/,
        )
      expect(await ended).toEqual(leave === 'close' ? 'ended' : expect.any(OperationalError))
      expect(await outcome(dialogue.ask('computer_details', details))).toBeInstanceOf(OperationalError)
      await slave.close()
    }
  })
})

test('a peer that has answered nothing yet counts as one that repeats no ids', async () => {
  const { dialogue, ended } = await asker()
  const never = await outcome(dialogue.ask('computer_details', { ...details, timeoutMs: 20 }))
  expect(await ended).toBe(never)
})

test('a message of a type that has a handler is no wrong answer, and an unknown one without a question is no surplus', async () => {
  const message = vi.fn()
  const { dialogue, master, slave, asked, unknown } = await asker({ handlers: { message } })
  await send(master, 'lights', 'on')
  await vi.waitFor(() => expect(unknown).toHaveBeenCalledExactlyOnceWith('lights', 'on', slave), PATIENCE)
  const info = dialogue.ask('computer_details', details)
  await asked(1)
  await send(master, 'message', 'hello')
  await send(master, 'master_info', 'me')
  expect(await info).toBe('me')
  expect(message).toHaveBeenCalledExactlyOnceWith('hello', slave)
})

test('an id that was never given is none', async () => {
  for (const id of [0, 2, 1.5, -1, '1', null, { id: 1 }, 1e300]) {
    const { dialogue, master, asked, unknown, slave } = await asker()
    const info = dialogue.ask('computer_details', details)
    const [question] = await asked(1)
    if (typeof id === 'number') {
      await sendJson(master, { type: 'master_info', payload: 'for somebody else', id })
      await vi.waitFor(() => expect(unknown).toHaveBeenCalledOnce(), PATIENCE)
    }
    await sendJson(master, { type: 'master_info', payload: 'me', id: question?.id })
    expect(await info).toBe('me')
    await slave.close()
  }
})

test('64 questions may be open, and the next is told to wait', async () => {
  const { dialogue, master, asked } = await asker()
  const open = Array.from({ length: 64 }, () => outcome(dialogue.ask('computer_details', details)))
  const [first] = await asked(64)
  expect(String(await outcome(dialogue.ask('computer_details', details)))).toMatch(
    /^OperationalError: 64 questions to the master at \S+ have no answer yet\. Wait for one before asking "computer_details"\.$/,
  )
  await sendJson(master, { type: 'master_info', payload: 'me', id: first?.id })
  expect(await open[0]).toBe('me')
  const next = outcome(dialogue.ask('computer_details', details))
  await asked(65)
  await master.close()
  expect(await next).toBeInstanceOf(OperationalError)
  for (const question of open.slice(1)) expect(await question).toBeInstanceOf(OperationalError)
})

test('a question that is too large is not asked, and leaves its place to others', async () => {
  const { dialogue, master, asked } = await asker({ maxFrameBytes: 100 })
  for (let count = 0; count < 70; count += 1)
    expect(await outcome(dialogue.ask('x'.repeat(100), details))).toMatchObject({ name: 'FrameError' })
  const info = dialogue.ask('computer_details', details)
  const [question] = await asked(1)
  await sendJson(master, { type: 'master_info', payload: 'me', id: question?.id })
  expect(await info).toBe('me')
})

describe('who answers', () => {
  /** An answerer, and what it has said to the other end, which this test speaks for by hand. */
  async function answerer(answers: Answers) {
    const { master, slave } = await connectedPair()
    const unknown = vi.fn()
    const message = vi.fn()
    const dialogue = new Dialogue(master, { answers, unknown, handlers: { message } })
    const ended = outcome(dialogue.ended)
    const said: Asked[] = []
    void readInto(said, slave).catch(() => {})
    const says = async (count: number) => {
      await vi.waitFor(() => expect(said.length).toBeGreaterThanOrEqual(count), PATIENCE)
      return said
    }
    return { slave, says, unknown, message, ended, master }
  }

  test('repeats the id, and only that', async () => {
    const { slave, says } = await answerer({ time: () => ({ type: 'time', payload: 'noon' }) })
    const ids = [7, 'seven', undefined, null, { a: 1 }, [1], true, 0]
    for (const id of ids) await sendJson(slave, { type: 'info', payload: 'time', id, other: 1 })
    const told = (await says(ids.length)).toSorted((a, b) => String(a.id).localeCompare(String(b.id)))
    const answer = { type: 'time', payload: 'noon' }
    expect(told.filter(({ id }) => id !== undefined)).toEqual(
      [0, 7, 'seven'].map((id) => ({ ...answer, id })),
    )
    expect(told.filter(({ id }) => id === undefined)).toEqual(Array(5).fill(answer))
  })

  test('is told what a question is about, and nothing where it says nothing of that', async () => {
    const abouts: unknown[] = []
    const { slave } = await answerer({
      time: (_, about) => {
        abouts.push(about)
        return { type: 'time', payload: 'noon' }
      },
    })
    const asking = new Dialogue(slave, { unknown: () => {} })
    asking.ended.catch(() => {})
    for (const about of [{ zone: 'küche' }, 'UTC', null, 0])
      expect(await asking.ask('time', { answer: 'time', about })).toBe('noon')
    expect(await asking.ask('time', { answer: 'time' })).toBe('noon')
    expect(abouts).toEqual([{ zone: 'küche' }, 'UTC', null, 0, undefined])
  })

  test('may refuse a question that it knows', async () => {
    const { slave, says, unknown } = await answerer({ time: () => undefined })
    await sendJson(slave, { type: 'info', payload: 'time', id: 1 })
    expect(await says(1)).toEqual([{ type: 'bad_message', payload: 'unknown', id: 1 }])
    expect(unknown).not.toHaveBeenCalled()
  })

  test('refuses what it does not know, and tells its own program', async () => {
    const { slave, says, unknown, master } = await answerer({})
    const questions = ['pizza', 'constructor', '__proto__', '', 7, null, ['time'], {}]
    for (const [id, payload] of questions.entries()) await sendJson(slave, { type: 'info', payload, id })
    const refusals = await says(questions.length)
    expect(refusals).toEqual(questions.map((_, id) => ({ type: 'bad_message', payload: 'unknown', id })))
    expect(unknown.mock.calls).toEqual(questions.map((question) => ['info', question, master]))
  })

  test('goes on meanwhile, and answers in turn where an asker repeats no ids', async () => {
    let finish = () => {}
    const slow = new Promise<void>((resolve) => {
      finish = resolve
    })
    const { slave, says, message } = await answerer({
      slow: async () => {
        await slow
        return { type: 'slow', payload: null }
      },
      quick: () => ({ type: 'quick', payload: null }),
    })
    await send(slave, 'info', 'slow')
    await send(slave, 'info', 'quick')
    await sendJson(slave, { type: 'info', payload: 'slow', id: 1 })
    await sendJson(slave, { type: 'info', payload: 'quick', id: 2 })
    await send(slave, 'message', 'alive')
    await vi.waitFor(() => expect(message).toHaveBeenCalledOnce(), PATIENCE)
    expect(await says(1)).toEqual([{ type: 'quick', payload: null, id: 2 }])
    finish()
    const all = (await says(4)).map(({ type, id }) => (id === undefined ? type : `${type} ${id}`))
    expect(all.toSorted()).toEqual(['quick', 'quick 2', 'slow', 'slow 1'])
    expect(all.indexOf('slow')).toBeLessThan(all.indexOf('quick'))
  })

  test('makes who asks very much wait', async () => {
    let open = 0
    let most = 0
    const { slave, says } = await answerer({
      slow: async () => {
        open += 1
        most = Math.max(most, open)
        await sleep(1)
        open -= 1
        return { type: 'slow', payload: 'x'.repeat(100) }
      },
    })
    for (let id = 1; id <= 1_000; id += 1) await sendJson(slave, { type: 'info', payload: 'slow', id })
    const told = await says(1_000)
    expect(new Set(told.map(({ id }) => id)).size).toBe(1_000)
    expect(most).toBe(64)
  })

  test('hears of a mistake in its own answers', async () => {
    const { slave, ended } = await answerer({
      time: () => {
        throw new RangeError('no clock')
      },
    })
    await send(slave, 'info', 'time')
    expect(await ended).toEqual(new RangeError('no clock'))
    await vi.waitFor(() => expect(slave.socket.destroyed).toBe(true), PATIENCE)
  })

  /** Ends this side alone, once what is joined to go out together has gone. */
  async function saysItsLast({ socket }: Connection) {
    await setImmediate()
    socket.allowHalfOpen = true
    socket.end()
  }

  test('answers a peer that says no more, and waits', async () => {
    const { slave, says, ended } = await answerer({
      slow: async () => {
        await sleep(20)
        return { type: 'slow', payload: null }
      },
      quick: () => ({ type: 'quick', payload: null }),
    })
    for (const [id, payload] of ['slow', 'quick', 'slow'].entries())
      await sendJson(slave, { type: 'info', payload, id })
    await saysItsLast(slave)
    expect((await says(3)).map(({ type }) => type).toSorted()).toEqual(['quick', 'slow', 'slow'])
    expect(await ended).toBeUndefined()
    await vi.waitFor(() => expect(slave.socket.readableEnded).toBe(true), PATIENCE)
  })

  test('hears of a mistake in them after a peer has said its last', async () => {
    const { slave, ended } = await answerer({
      time: async () => {
        await sleep(20)
        throw new RangeError('no clock')
      },
    })
    await send(slave, 'info', 'time')
    await saysItsLast(slave)
    expect(await ended).toEqual(new RangeError('no clock'))
  })

  test('is not held by a peer that asks and leaves', async () => {
    const { slave, ended } = await answerer({
      time: async () => {
        await sleep(20)
        return { type: 'time', payload: 'noon' }
      },
    })
    await send(slave, 'info', 'time')
    await slave.close()
    expect(await ended).toBeUndefined()
  })
})

test('what a question is about stands behind what every node knows', async () => {
  const { dialogue, asked } = await asker()
  void outcome(dialogue.ask('history', { answer: 'history', about: { from: 1 } }))
  expect(JSON.stringify((await asked(1))[0])).toBe(
    '{"type":"info","payload":"history","about":{"from":1},"id":1}',
  )
})

test('two ends may ask each other at the same time', async () => {
  const { master, slave } = await connectedPair()
  const unknown = vi.fn()
  const ends = [master, slave].map(
    (connection, end) =>
      new Dialogue(connection, {
        unknown,
        answers: { name: () => ({ type: 'name', payload: `end ${end}` }) },
      }),
  )
  const all = await Promise.all(
    ends.flatMap((end) => Array.from({ length: 50 }, () => end.ask('name', { answer: 'name' }))),
  )
  expect(all).toEqual([...Array(50).fill('end 1'), ...Array(50).fill('end 0')])
  expect(unknown).not.toHaveBeenCalled()
  await slave.close()
  await Promise.all(ends.map(({ ended }) => ended))
})

test('a question that is asked as the dialogue ends fails at once, and not when its time is over', async () => {
  const { dialogue, master } = await asker()
  const late = dialogue.ended
    .catch((error) => error)
    .then((error) => [error, outcome(dialogue.ask('x', details))])
  await master.write('no JSON\r')
  const [error, asked] = await late
  expect(error).toMatchObject({ name: 'FrameError' })
  expect(await asked).toBe(error)
})

test('what breaks the protocol ends the dialogue, and every open question with it', async () => {
  const { dialogue, master, asked, ended } = await asker()
  const open = outcome(dialogue.ask('computer_details', details))
  await asked(1)
  await master.write('{"msg":"of chapter 05"}\r')
  expect(await open).toMatchObject({
    name: 'FrameError',
    message: expect.stringContaining('it has no "type"'),
  })
  expect(await ended).toBe(await open)
})
