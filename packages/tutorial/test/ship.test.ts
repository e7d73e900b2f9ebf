/** What `pnpm ship` works out before it asks any machine: words for a shell, and configurations. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { allChapters } from '../src/chapters/chapters.ts'
import { carriedOver, settingOf, withValue } from '../src/ship/config-values.ts'
import { sh } from '../src/ship/shell.ts'

const CONFIG = `; What it is for.
[node]
; Where it listens.
port = 7000
Name=one
empty =

[other]
port: 7000 ; here too
`

test('a word is one word to a shell, whatever is in it', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ unit: 'binary' }).filter((word) => !word.includes('\0') && !/\p{Cs}/u.test(word)),
        {
          minLength: 1,
        },
      ),
      (words) => {
        const said = execFileSync('sh', ['-c', sh`printf '%s\\0' ${words}`], { encoding: 'utf8' })
        expect(said).toBe(words.map((word) => `${word}\0`).join(''))
      },
    ),
    { numRuns: 50 },
  )
  expect(sh`cd ${'/opt/a-b_c.1'} && rm ${['a b', "it's", '-x', '']}`).toBe(
    String.raw`cd /opt/a-b_c.1 && rm 'a b' 'it'\''s' -x ''`,
  )
})

test('a value is written into its place, and nothing else changes', () => {
  const changed = (text: string) => {
    const lines = withValue(CONFIG, settingOf(text)).split('\n')
    return lines.filter((line, index) => line !== CONFIG.split('\n')[index])
  }
  expect(changed('node.port=7001')).toEqual(['port = 7001'])
  expect(changed('node.name=a = $& b')).toEqual(['Name=a = $& b'])
  expect(changed('node.empty=full')).toEqual(['empty = full'])
  expect(changed('other.port=7001')).toEqual(['port: 7001'])
  expect(withValue('[a]\r\nb = 1\r\nc = 2\r\n', settingOf('a.b=3'))).toBe('[a]\r\nb = 3\r\nc = 2\r\n')
  expect(() => changed('node.prot=7001')).toThrow('The configuration has no prot in its section [node].')
  expect(() => changed('nodes.port=7001')).toThrow('The configuration has no port in its section [nodes].')
  for (const text of ['', 'port=1', 'node.=1', '.port=1', 'node.port', 'node.port=1\n[other]'])
    expect(() => settingOf(text)).toThrow(/^--set takes SECTION\.KEY=VALUE/)
})

test('a new configuration gets what the reader has set; where more is changed, the old one stays', () => {
  const fresh = CONFIG.replace('one', 'two').replace('; Where', 'added = 1\n; Where')
  const stays = ['stays as you have changed it there']
  expect(carriedOver(undefined, undefined, CONFIG)).toEqual({ text: CONFIG, notices: [] })
  expect(carriedOver(CONFIG, CONFIG, fresh)).toEqual({ text: fresh, notices: [] })

  const set = CONFIG.replace('port = 7000', 'port = 7001')
  expect(carriedOver(set, CONFIG, CONFIG)).toEqual({ text: set, notices: [] })
  expect(carriedOver(set, CONFIG, fresh)).toEqual({
    text: fresh.replace('port = 7000', 'port = 7001'),
    notices: ['is new, and keeps [node] port = 7001'],
  })
  // The same value in both needs no word.
  expect(carriedOver(set, CONFIG, set)).toEqual({ text: set, notices: [] })

  for (const edited of [`${set}; mine\n`, `${set}mine = 1\n`, set.replace('Name=one\n', '')])
    expect(carriedOver(edited, CONFIG, fresh)).toEqual({ text: edited, notices: stays })
  expect(carriedOver(set, CONFIG, fresh.replace('port = 7000\n', ''))).toEqual({ text: set, notices: stays })
  // Nobody knows what it was.
  expect(carriedOver(set, undefined, fresh)).toEqual({ text: set, notices: stays })
})

test.for(allChapters().filter(({ config }) => config !== undefined))(
  '$name says where the address of a peer stands, and it stands there',
  ({ folder, config = '', programs }) => {
    const text = readFileSync(join(folder, config), 'utf8')
    for (const { name, connectsTo, peerAddress } of programs) {
      const peer = programs.find((program) => program.name === connectsTo)
      // Of several that connect to each other, each has an address of its own.
      if (!peer || peer.connectsTo === peer.name) continue
      expect(peerAddress, `cluster.programs.${name}.peerAddress`).toBeDefined()
      expect(withValue(text, settingOf(`${peerAddress}=192.0.2.1`))).toContain('192.0.2.1')
    }
  },
)
