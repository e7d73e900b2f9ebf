import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type ChapterCopy, chapterTest, freePort, hasPython, Running } from '../src/harness/harness.ts'
import { type Ports, programEnvironment } from '../src/run/environment.ts'
import { bytesOf, shown } from '../src/talk/bytes.ts'
import { Conversation } from '../src/talk/conversation.ts'
import { separatorOf, TypedLines } from '../src/talk/typed-lines.ts'

const COMMAND = [process.execPath, join(import.meta.dirname, '../bin/tutorial.js'), 'talk']

interface TalkRun {
  /** What comes on its standard input. Default: nothing. */
  input?: string
  /** The folder that it runs in. */
  cwd?: string
  /** Which ports stand in for which. */
  ports?: Ports
  /** A command to run it in, and what else is in its environment. */
  within?: string[]
  env?: Record<string, string>
}

/** `pnpm talk`, under the fast clock. */
function talk(args: readonly string[], { input, cwd, ports, within = [], env }: TalkRun = {}): Running {
  const [command = '', ...rest] = [...within, ...COMMAND, ...args]
  const child = spawn(command, rest, {
    cwd,
    detached: true,
    env: { ...programEnvironment({ ...(ports && { ports }) }), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  if (input !== undefined || within.length === 0) child.stdin.end(input)
  const running = Object.assign(new Running(child), {
    type: (keys: string) => child.stdin.write(keys),
  })
  onTestFinished(() => running.kill())
  return running
}

/** What it has said, without times, and without the numbers of ports. */
function story({ lines }: Running): string[] {
  return lines.map((line) =>
    line.replace(/^\[\d\d:\d\d:\d\d\] /, '').replace(/(127\.0\.0\.1):\d+/g, '$1:PORT'),
  )
}

const CONNECTED = 'Connected to 127.0.0.1:PORT as 127.0.0.1:PORT'
const BOTH_CLOSE = ['This end closes.', 'The other end closed, too.']

/** What a program has logged about its peer, whoever that was. */
async function logged(program: Running): Promise<string[]> {
  await program.stop()
  return program.messages.map((message) => message.replace(/127\.0\.0\.1:\d+/g, 'PEER'))
}

function chapter(name: string, title: string, run: (chapter: ChapterCopy) => Promise<void>): void {
  chapterTest(name)(title, async ({ chapter }) => run(chapter))
}

describe('with the programs of the chapters', () => {
  chapter('03-sockets', 'messages without a wait between them arrive as one piece', async (chapter) => {
    const master = await chapter.run('master')
    const talking = talk(['31415', '--separator', 'none', 'one', 'two', '.wait 5s', 'three'], {
      ports: new Map([[31415, chapter.port]]),
    })
    await talking.ends()
    expect(story(talking)).toEqual([
      CONNECTED,
      '-> 3 bytes   one',
      '-> 3 bytes   two',
      '-> 5 bytes   three',
      ...BOTH_CLOSE,
    ])
    expect(talking.exitCode).toBe(0)
    const [, , ...texts] = await logged(master)
    expect(texts).toEqual(['From PEER: onetwo', 'From PEER: three', 'Stopped'])
  })

  chapter(
    '05-json',
    'a message in two halves is one; who breaks the agreement sees the other end close',
    async (chapter) => {
      const master = await chapter.run('master')
      const lines = ['\uFEFF{"msg":"a\\rb"}', '', '.half {"msg":"cut in t', '.wait 2s', '.rest wo"}']
      const whole = talk([String(chapter.port)], { input: lines.join('\r\n') })
      const broken = talk([String(chapter.port), "{'msg':'it\\'s'}", "{'msg':7}", '.wait', "{'msg':'after'}"])
      await Promise.all([whole.ends(), broken.ends()])
      expect(story(whole)).toEqual([
        CONNECTED,
        '-> 15 bytes  {"msg":"a\\\\rb"}\\r',
        '-> 16 bytes  {"msg":"cut in t',
        '-> 5 bytes   wo"}\\r',
        ...BOTH_CLOSE,
      ])
      expect(whole.exitCode).toBe(0)
      expect(story(broken)).toEqual([
        CONNECTED,
        '-> 15 bytes  {"msg":"it\'s"}\\r',
        '-> 10 bytes  {"msg":7}\\r',
        'The other end closed the connection.',
        'One more message was not sent.',
      ])
      expect(broken.exitCode).toBe(1)
      const said = await logged(master)
      for (const text of ['a\\rb', 'cut in two', "it's"]) {
        expect(said).toContain(`Received message from PEER: ${text}`)
      }
      expect(said.join('\n')).toMatch(/its "msg" is 7/)
    },
  )

  chapter(
    '06-slave-details',
    'without a port it finds the chapter; an escape of JSON stays one',
    async (chapter) => {
      const master = await chapter.run('master')
      const hostile = '{"type":"message","payload":"\\u001b[2Jcleared?"}'
      const talking = talk([], {
        cwd: chapter.folder,
        input: `${hostile}\n.raw ${shown(Buffer.from(hostile))}\\r\n`,
      })
      await talking.ends()
      const line = '-> 49 bytes  {"type":"message","payload":"\\\\u001b[2Jcleared?"}\\r'
      expect(story(talking)).toEqual([CONNECTED, line, line, ...BOTH_CLOSE])
      const said = await logged(master)
      expect(said.filter((text) => text === 'Received message from PEER: \\u001b[2Jcleared?')).toHaveLength(2)
    },
  )

  chapter('05-json', '--listen takes the place of the program that listens', async (chapter) => {
    const talking = talk([String(chapter.port), '--listen', '.wait', '{"hello":"you"}', '.wait 60s'])
    await talking.says(/Listening on/)
    const slave = await chapter.run('slave')
    await talking.says(/<- .*I am still alive/)
    await slave.stop()
    await talking.ends()
    const [listening, connected, hello, answer, ...later] = story(talking)
    expect([listening, connected]).toEqual([
      'Listening on 127.0.0.1:PORT, for one connection',
      'Connected to 127.0.0.1:PORT',
    ])
    expect(hello).toMatch(/^<- \d\d bytes {2}\{"msg":"Hello World, I am client \d+"\}\\r$/)
    expect(answer).toBe('-> 16 bytes  {"hello":"you"}\\r')
    expect(later.at(-1)).toBe('The other end closed the connection.')
    expect(talking.exitCode).toBe(0)
  })
})

describe('what cannot work', () => {
  test('nobody listens: a line, and exit code 1', async () => {
    const port = await freePort()
    const talking = talk(['31415', 'hello'], { ports: new Map([[31415, port]]) })
    await talking.ends()
    expect(talking.lines).toEqual([
      'Nobody listens on 127.0.0.1:31415. Start who does, in another terminal: pnpm --filter 03-sockets master',
    ])
    expect(talking.exitCode).toBe(1)
  })

  test('a mistake on the command line is told before anything is sent', async () => {
    const peer = await Peer.listen()
    const talking = talk([String(peer.port), 'hello', '.hlaf more'])
    await talking.ends()
    expect(talking.lines).toEqual([
      expect.stringMatching(/^There is no command "\.hlaf"\. Did you mean \.half\?/),
    ])
    expect(talking.exitCode).toBe(2)
    expect(peer.sockets).toEqual([])
  })

  test('what is no port is refused', async () => {
    const talking = talk(['65536'])
    await talking.ends()
    expect(talking.lines[0]).toMatch(/^error: .*'port'\. It takes a whole number from 1 to 65535/)
    expect(talking.exitCode).toBe(1)
  })

  test('a mistake in a file is told with its line, after what stood before it', async () => {
    const peer = await Peer.listen((socket) => socket.resume().on('end', () => socket.end()))
    const talking = talk([String(peer.port)], { input: 'one\n\n.wait soon\ntwo\n' })
    await talking.ends()
    expect(story(talking)).toEqual(
      expect.arrayContaining([
        '-> 4 bytes   one\\r',
        'Line 3: .wait takes a time with its unit, such as 1s, 500ms or 2m; "soon" is none.',
      ]),
    )
    expect(talking.exitCode).toBe(2)
  })
})

test('what a line asks for is not told before what stands above it was sent, nor changes how that is told', async () => {
  const peer = await Peer.listen((socket) => socket.resume().on('end', () => socket.end()))
  const input = ['one', '.help', 'two', '.slow 1000', 'three', '.raw ', '.hex', 'four'].join('\n')
  const talking = talk([String(peer.port)], { input })
  await talking.ends()
  expect(story(talking).filter((line) => !/^ {3}[A-Z{ ]/.test(line))).toEqual([
    CONNECTED,
    '-> 4 bytes   one\\r',
    '-> 4 bytes   two\\r',
    '6 bytes go out slowly, 1000 a second, which takes 6ms',
    '-> 6 bytes   three\\r',
    '5 bytes go out slowly, 1000 a second, which takes 5ms',
    '-> 5 bytes',
    '   66 6f 75 72 0d                                    four.',
    ...BOTH_CLOSE,
  ])
  expect(story(talking)[2]).toMatch(/^ {3}A line is a message/)
})

test('who has seen enough ends it: head closes the pipe', async () => {
  const peer = await Peer.listen((socket) => {
    const more = setInterval(() => socket.write('{"msg":"more"}\r'), 2)
    socket.on('close', () => clearInterval(more))
  })
  const talking = talk([String(peer.port), '.wait 1m'])
  await talking.says(/^\[[\d:]+\] <- 15 bytes {2}\{"msg":"more"\}\\r$/, 3)
  talking.closeConsole()
  await talking.ends()
  expect(talking.exitCode).toBe(0)
})

test('Ctrl-C ends it at once, whatever it waits for, and says what was not sent', async () => {
  const peer = await Peer.listen()
  const talking = talk([String(peer.port), 'hello', '.wait 24h', 'bye', 'bye'])
  await talking.says(/hello/)
  talking.signal('SIGINT')
  await talking.ends()
  expect(story(talking).slice(-2)).toEqual(['This end leaves.', '2 more messages were not sent.'])
  expect(talking.exitCode).toBe(1)
})

describe.skipIf(!hasPython())('at a keyboard', () => {
  const within = ['python3', join(import.meta.dirname, 'support/typing.py')]

  test('what is typed is sent, a mistake is told, and Ctrl-C leaves', async () => {
    const peer = await Peer.listen()
    const talking = talk([String(peer.port)], { within, env: { TERM: 'xterm' } }) as Typed
    await talking.says(/Each line that you type is sent, with \\r after it\./)
    talking.type('{"msg":"hello"}\r')
    await talking.says(/16 bytes {2}\{"msg":"hello"\}\\r/)
    peer.sockets[0]?.write('hello yourself\r')
    await talking.says(/<-.* 15 bytes {2}hello yourself\\r/)
    talking.type('.half one\r.hlaf\r.rest two\r')
    await talking.says(/There is no command "\.hlaf"/)
    await talking.says(/4 bytes {3}two\\r/)
    talking.type('not sent\x03')
    await talking.ends()
    expect(talking.lines.at(-2)).toMatch(/This end leaves\.$/)
    expect(talking.lines.at(-1)).toSatisfy((rest: string) => rest.endsWith('\x1b[0J')) // no prompt is left
    expect(talking.exitCode).toBe(0)
    expect(peer.received).toBe('{"msg":"hello"}\ronetwo\r')
  })

  test('a terminal that cannot move its cursor is written to as a file is; Ctrl-D ends', async () => {
    const peer = await Peer.listen()
    const talking = talk([String(peer.port), '--separator', 'none'], {
      within,
      env: { TERM: 'dumb' },
    }) as Typed
    await talking.says(/with nothing after it/)
    talking.type('hello\r')
    await talking.says(/5 bytes {3}hello/)
    talking.type('\x04')
    await talking.says(/This end closes\./)
    peer.sockets[0]?.end()
    await talking.ends()
    expect(talking.lines.join('')).not.toContain('\x1b')
    expect(talking.lines.at(-1)).toMatch(/The other end closed, too\.$/)
    expect(talking.exitCode).toBe(0)
  })
})

describe('a conversation', () => {
  test('the other end closes at once', async () => {
    const { said, conversation } = await conversationWith((socket) => socket.end())
    await conversation.over
    await conversation.closed()
    expect(said).toEqual(['The other end closed the connection.'])
    expect(conversation.failed).toBe(false)
  })

  test('what is sent in one turn goes out in one write', async () => {
    const { said, conversation, socket } = await conversationWith((socket) => socket.resume())
    void conversation.send(Buffer.from('one'))
    void conversation.send(Buffer.from('two'))
    expect(socket.writableLength).toBe('onetwo'.length) // what the system has been given does not count
    await expect.poll(() => said).toEqual(['-> 3 bytes   one', '-> 3 bytes   two'])
  })

  test('the other end resets', async () => {
    const { said, conversation } = await conversationWith((socket) =>
      socket.once('data', () => socket.resetAndDestroy()),
    )
    await conversation.send(Buffer.from('hello'))
    await conversation.wait()
    await conversation.closed()
    expect(said).toEqual(['-> 5 bytes   hello', 'The other end reset the connection.'])
    expect(conversation.failed).toBe(true)
  })

  test('this end resets', async () => {
    const { said, conversation, peer } = await conversationWith()
    await expect.poll(() => peer.sockets.length).toBe(1)
    const failure = once(peer.sockets[0] as Socket, 'error')
    conversation.reset()
    await conversation.closed()
    expect(await failure).toMatchObject([{ code: 'ECONNRESET' }])
    expect(said).toEqual(['This end resets the connection.'])
  })

  test('the other end never reads: it is told how much waits, and when it is left, how much has gone', async () => {
    const { said, conversation } = await conversationWith((socket) => socket.pause())
    const sending = conversation.send(Buffer.alloc(64 * 1024 * 1024))
    await expect
      .poll(() => said.at(-1), { timeout: 10_000 })
      .toMatch(/^\d+ bytes wait here: the other end does not read\./)
    conversation.leave()
    await sending
    await conversation.closed()
    expect(said.slice(1)).toEqual([
      'This end leaves.',
      expect.stringMatching(/^-> \d+ of 67108864 bytes {2}(\\0)+ \.\.\.$/),
    ])
    expect(conversation.failed).toBe(true)
  })

  test('megabytes go and come whole, and each message that comes has a line', async () => {
    const size = 3_000_000
    const { said, conversation } = await conversationWith((socket) => socket.pipe(socket))
    await conversation.send(Buffer.from('é\r\xff\r'.repeat(10), 'latin1'))
    await conversation.send(Buffer.alloc(size, 'x'))
    await conversation.end()
    const came = said.filter((line) => line.startsWith('<- '))
    expect(came.slice(0, 3)).toEqual([
      '<- 2 bytes   \\xe9\\r',
      '<- 2 bytes   \\xff\\r',
      '<- 2 bytes   \\xe9\\r',
    ])
    const bytes = came.map((line) => Number(/\d+/.exec(line)))
    expect(bytes.reduce((sum, count) => sum + count, 0)).toBe(40 + size)
    expect(said.at(-1)).toBe('The other end closed, too.')
    expect(conversation.failed).toBe(false)
  })

  test('slowly: a byte at a time, and what has gone is told when the other end does not wait for the rest', async () => {
    const { said, conversation, peer } = await conversationWith((socket) =>
      socket.on('data', () => {
        if (peer.received.length >= 3) socket.end()
      }),
    )
    conversation.slow(20)
    await conversation.send(Buffer.from('hello, how are you?'))
    await conversation.closed()
    expect(said).toEqual([
      '19 bytes go out slowly, 20 a second, which takes 950ms',
      'The other end closed the connection.',
      expect.stringMatching(/^-> \d+ of 19 bytes {2}hel/),
    ])
    expect(conversation.failed).toBe(true)
  })

  test('the other end does not close: it is left after a while', async () => {
    const { said, conversation } = await conversationWith((socket) => socket.resume(), {
      closeTimeoutMs: 300,
    })
    await conversation.end()
    await conversation.closed()
    expect(said).toEqual([
      'This end closes.',
      'The other end has not closed, and is silent for 300ms: this end leaves.',
    ])
    expect(conversation.failed).toBe(true)
  })

  test('as numbers', async () => {
    const { said, conversation } = await conversationWith((socket) =>
      socket.resume().on('end', () => socket.end()),
    )
    conversation.hex()
    await conversation.send(Buffer.from('{"msg":"hällo"}\r'))
    await conversation.end()
    expect(said.slice(0, 3)).toEqual([
      '-> 17 bytes',
      '   7b 22 6d 73 67 22 3a 22 68 c3 a4 6c 6c 6f 22 7d   {"msg":"h..llo"}',
      '   0d                                                .',
    ])
  })
})

describe('what is typed', () => {
  const sent = (lines: readonly string[], { separator = '\r', raw = false } = {}) => {
    const typed = new TypedLines({ separator, raw })
    const steps = lines.map((line) => typed.stepOf(line))
    return Buffer.concat(steps.map((step) => (step.do === 'send' ? step.bytes : Buffer.alloc(0))))
  }

  test('what is shown, typed after .raw, is the same bytes again', () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => Buffer.from(text))
    const bytes = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes))
    const likeCode = fc.stringMatching(/^[{[ ]{0,3}['"\\rnxu0-9a ]{0,9}$/).map((text) => Buffer.from(text))
    fc.assert(
      fc.property(fc.oneof(text, bytes, likeCode), (bytes) => {
        const line = shown(bytes)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be in it
        expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u202e]/)
        expect(sent([`.raw ${line}`]).equals(bytes)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('JSON in single quotes goes out in double ones, in however many parts it is typed', () => {
    const json = fc.oneof(fc.object(), fc.array(fc.string())).map((value) => JSON.stringify(value))
    fc.assert(
      fc.property(json, fc.nat(), (json, cut) => {
        const change: Record<string, string> = { '"': "'", "'": "\\'", '\\"': '"' }
        const single = json.replace(/\\.|["']/g, (part) => change[part] ?? part)
        const at = cut % (single.length + 1)
        expect(sent([single]).toString()).toBe(/^[[{] *'/.test(single) ? `${json}\r` : `${single}\r`)
        expect(sent([`.half ${single.slice(0, at)}`, `.rest ${single.slice(at)}`])).toEqual(sent([single]))
      }),
    )
  })

  test.for([
    [["it's"], "it's\r"],
    [['{"msg":"it\'s"}'], '{"msg":"it\'s"}\r'],
    [['{"a":\'b\'}'], '{"a":\'b\'}\r'],
    [['', '..', '..wait 1s'], '\r.\r.wait 1s\r'],
    [['a\\r', '.raw a\\r\\x41\\u00e9\\ud83d\\ude00\\0'], 'a\\r\ra\rAé😀\0'],
    [['.separator none', 'one', '.separator \\r\\n', 'two', '.separator LF', 'three'], 'onetwo\r\nthree\n'],
    [['.half  a ', 'b', '.half c', '.half d', '.rest'], ' a b\rcd\r'],
    [['.zeros 3'], '\0\0\0'],
  ] as const)('%j', ([lines, bytes]) => {
    expect(sent(lines).toString()).toBe(bytes)
  })

  test('in raw mode nothing is added, and escapes are bytes', () => {
    expect(sent(['a\\r', '.half \\x', '41'], { separator: '', raw: false }).toString()).toBe('a\\r\\x41')
    expect(sent(["{'msg':'one'}\\r{'msg':'\\u001b'}\\r"], { separator: '', raw: true }).toString()).toBe(
      '{"msg":"one"}\r{"msg":"\x1b"}\r',
    )
  })

  test.for([
    ['.', /^There is no command "\."\. There are \.half, /],
    ['.constructor', /^There is no command/],
    ['.rest', /^\.rest ends what \.half has begun, and nothing is/],
    ['.wait 5', /^\.wait takes a time with its unit/],
    ['.wait 99y', /^\.wait takes a time/],
    ['.slow fast', /^\.slow takes a number of bytes, from 1 to 100000000, or off; "fast" is none/],
    ['.zeros', /^\.zeros takes a number of bytes/],
    ['.separator constructor', /^"constructor" is no separator\. There are cr \(\\r\), /],
    ['.hex dump', /^\.hex stands alone/],
    ['.raw a\\q', /^\\q is no escape\. There are \\r, /],
    ['.raw \\x4', /^\\x is no escape/],
    ['.raw a\\', /^\\ is no escape/],
    ['.raw \\ud83d', /^\\ud83d is half a character/],
  ] as const)('%s is a mistake', ([line, message]) => {
    expect(() => sent([line])).toThrow(message)
  })

  test('a separator that a shell has taken the backslash of is not guessed', () => {
    expect(() => separatorOf('r')).toThrow(/"r" is no separator/)
    expect(bytesOf('\\r')).toEqual(Buffer.from(separatorOf('\\r')))
  })
})

/** Listens, and does with each connection what a test wants. */
class Peer {
  readonly sockets: Socket[] = []
  /** All that has come, as text. */
  received = ''
  readonly port: number

  static async listen(serve: (socket: Socket) => void = () => {}): Promise<Peer> {
    const server = createServer({ allowHalfOpen: true })
    server.listen({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    const peer = new Peer((server.address() as AddressInfo).port)
    server.on('connection', (socket) => {
      peer.sockets.push(socket.on('error', () => {}))
      serve(socket)
      if (!socket.isPaused()) socket.on('data', (bytes) => (peer.received += bytes))
    })
    onTestFinished(() => {
      for (const socket of peer.sockets) socket.destroy()
      server.close()
    })
    return peer
  }

  private constructor(port: number) {
    this.port = port
  }
}

/** A conversation with a peer, and what was said about it. */
async function conversationWith(serve?: (socket: Socket) => void, options: { closeTimeoutMs?: number } = {}) {
  const peer = await Peer.listen(serve)
  const socket = connect({ host: '127.0.0.1', port: peer.port, allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  const said: string[] = []
  const telling = { say: (line: string) => void said.push(line), separator: () => '\r' }
  return { said, peer, socket, conversation: new Conversation(socket, telling, { hex: false, ...options }) }
}

/** A program in a terminal, with somebody at its keyboard. */
type Typed = Running & { type(keys: string): void }
