import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_SECTION, readConfigLines, readValue } from '../src/config-lines.ts'

/** What is read of a text: `[section] key` with its value, all that is warned of, and all that is wrong. */
function read(text: string) {
  const { sections, problems, warnings } = readConfigLines(text)
  const values: Record<string, string> = {}
  const noted = [...warnings]
  const wrong = [...problems]
  for (const [name, section] of sections) {
    if (name === DEFAULT_SECTION) continue
    const all = new Map([...(sections.get(DEFAULT_SECTION) ?? []), ...section])
    for (const [key, entry] of all) {
      if (entry.value === undefined) {
        wrong.push({ line: entry.line, text: 'no value' })
        continue
      }
      const value = readValue(entry, all)
      noted.push(...value.warnings)
      wrong.push(...value.problems)
      values[`[${name}] ${key}`] = value.text
    }
  }
  const texts = (notes: typeof wrong) => notes.map(({ line, text: what }) => `${line}: ${what}`)
  return { values, warnings: texts(noted), problems: texts(wrong) }
}

describe('is read without a word', () => {
  test.each([
    ['a comment behind a section', '[a] # x\nk = 1\n[b];y\nk = 2\n', { '[a] k': '1', '[b] k': '2' }],
    [
      'a colon, and what may stand around it',
      '[a]\nk:1\nl : 2\nm =3\n',
      { '[a] k': '1', '[a] l': '2', '[a] m': '3' },
    ],
    ['of two separators, the first', '[a]\nk = a:b=c\nl: a=b\n', { '[a] k': 'a:b=c', '[a] l': 'a=b' }],
    ['a section with a dot', '[a.b]\nk = 1\n[a]\nk = 2\n', { '[a.b] k': '1', '[a] k': '2' }],
    [
      'names of JavaScript',
      '[constructor]\n__proto__ = 1\n[__proto__]\nk = 2\n',
      { '[constructor] __proto__': '1', '[__proto__] k': '2' },
    ],
    ['a key in capitals', '[a]\nMaster_IP = pi\n', { '[a] master_ip': 'pi' }],
    ['an indented file', '  [a]\n  k = 1\n  [b]\n\tk = 2\n', { '[a] k': '1', '[b] k': '2' }],
    [
      'a key deeper than its section, and a comment at any depth',
      '[a]\n   k = 1\n      # x\n  l = 2\n',
      { '[a] k': '1', '[a] l': '2' },
    ],
    ['DEFAULT', '[a]\nl = 3\n[DEFAULT]\nk = 1\nl = 2\n', { '[a] k': '1', '[a] l': '3' }],
    [
      'references, and a doubled percent sign',
      '[DEFAULT]\nnet = 10.0\n[a]\nhost = %(Net)s.0.%(n)s\nn = %%7\n',
      { '[a] net': '10.0', '[a] host': '10.0.0.%7', '[a] n': '%7' },
    ],
    ['a semicolon or # inside a value', '[a]\nk = a;b#c\n', { '[a] k': 'a;b#c' }],
    ['brackets behind a key', '[a]\nk[] = 1\n', { '[a] k[]': '1' }],
    ['words of JSON', '[a]\nk = true\nl = null\n', { '[a] k': 'true', '[a] l': 'null' }],
    ['an empty value', '[a]\nk =\n', { '[a] k': '' }],
    [
      'any line end, and a byte order mark',
      '\uFEFF[a]\r\nk = 1\rl = 2\r\r\n[b]\nk = 3',
      { '[a] k': '1', '[a] l': '2', '[b] k': '3' },
    ],
    ['spaces of all kinds around a value', '[a]\nk = \u00a0\t1 \u3000\n', { '[a] k': '1' }],
    ['a line separator of Unicode inside a value', '[a]\nk = 1\u20282\n', { '[a] k': '1\u20282' }],
  ])('%s', (_, text, values) => {
    expect(read(text)).toEqual({ values, warnings: [], problems: [] })
  })
})

describe('is read, with a warning', () => {
  test.each([
    [
      'a comment behind a value',
      '[a]\nk = 1 ; x\n',
      '1',
      [
        '2: "1 ; x" is read as "1", what follows is a comment. Python would take all of it: leave the rest out, or give a comment a line of its own.',
      ],
    ],
    [
      'a comment in place of a value',
      '[a]\nk = # x\n',
      '',
      [expect.stringMatching(/^2: "# x" is read as "", what follows is a comment\./)],
    ],
    [
      'quotes around a value',
      '[a]\nk = "1 # x" # y\n',
      '1 # x',
      [expect.stringMatching(/^2: ""1 # x" # y" is read as "1 # x", without its quotes\./)],
    ],
    [
      'a key that stands there twice',
      '[a]\nk = 1\nK = 2\n',
      '2',
      ['3: [a] K stands on line 2 already. The value of line 3 is used; Python refuses that.'],
    ],
    [
      'a section that stands there twice',
      '[a]\nk = 1\n[b]\n[a]\nl = 2\n',
      '1',
      ['4: [a] stands on line 1 already. Both are read as one section; Python refuses that.'],
    ],
    [
      'spaces inside the brackets',
      '[ a ]\nk = 1\n',
      '1',
      ['1: "[ a ]" is read as [a]. To Python the spaces are a part of the name: leave them out.'],
    ],
    [
      'a percent sign by itself',
      '[a]\nk = fe80::1%eth0\n',
      'fe80::1%eth0',
      ['2: "%" is read as it stands. Python wants "%%" for it.'],
    ],
  ])('%s', (_, text, value, warnings) => {
    const found = read(text)
    expect(found.values['[a] k']).toBe(value)
    expect(found).toMatchObject({ warnings, problems: [] })
  })
})

describe('is refused, with its line', () => {
  test.each([
    ['a key without a value', '[a]\nk\n', '2: no value'],
    ['a lack of "="', '[a]\nk 1\n', '2: "k 1" has no "=". Is it "k = 1"? (A comment begins with "#".)'],
    ['a lack of a key', '[a]\n= 1\n', '2: "= 1" has nothing before its "=". Write a key there.'],
    ['a lack of "]"', '[a]\nk = 1\n[b\nk = 2\n', '3: "[b" begins a section, and lacks its "]".'],
    ['a section without a name', '[]\nk = 1\n', '1: "[]" begins a section, and lacks its name.'],
    [
      'two "]"',
      '[a] # as [b]\n',
      '1: "[a] # as [b]" has more than one "]". Leave one: Python takes the last "]" of a line for the end of the name.',
    ],
    [
      'something behind a section',
      '[a] k = 1\n',
      '1: "[a] k = 1" goes on behind its "]". Put "k = 1" on a line of its own, or write "#" before it.',
    ],
    [
      'a key above the first section',
      'k = 1\n[a]\n',
      '1: "k = 1" stands above the first section. Move it below the line of the section that it belongs to.',
    ],
    [
      'a deeper line',
      '[a]\nk = 1\n\n  l = 2\n',
      '4: "l = 2" is indented deeper than line 2, and so would be a part of that line\'s value. Begin both lines in the same column.',
    ],
    [
      'a deeper section',
      '[a]\nk = 1\n  [b]\n',
      '3: "[b]" is indented deeper than line 2, and so would be a part of that line\'s value. Begin both lines in the same column.',
    ],
    [
      'a control character',
      '[a]\nk = 1\0\n',
      '2: has the character \\u0000 in it: "k = 1\\u0000". Type the line anew, and save the file as UTF-8.',
    ],
    [
      'what was not UTF-8',
      '[a]\nk = \uFFFD\n',
      '2: is not UTF-8 text: "k = \uFFFD". Type the line anew, and save the file as UTF-8.',
    ],
    [
      'a reference to nothing',
      '[a]\nk = %(l)s\n',
      '2: "%(l)s" names no key of this section. Write the value itself there.',
    ],
    [
      'a circle of references',
      '[a]\nk = %(k)s\n',
      '2: "%(k)s" leads to itself, or over too many others. Write the value itself there.',
    ],
  ])('%s', (_, text, problem) => {
    expect(read(text).problems).toContain(problem)
  })

  test('and a key below such a line goes to no other section', () => {
    expect(read('[a]\nk = 1\n[b\nk = 2\n[c] x\nk = 3\n').values).toEqual({ '[a] k': '1' })
  })
})

test('a long line, a long run of spaces and very many lines are taken apart in a moment', () => {
  const began = performance.now()
  read(
    `[a]\nk = x${' '.repeat(500_000)}x\n${'"'.repeat(100_000)}\nl = ${' ;'.repeat(100_000)}\n${'m\n'.repeat(100_000)}`,
  )
  expect(performance.now() - began).toBeLessThan(10_000) // with a search that starts anew at each space: minutes
})

const DUMP = `
import configparser, io, json, sys
results = []
for text in json.load(sys.stdin):
    parser = configparser.ConfigParser()
    try:
        parser.read_file(io.TextIOWrapper(io.BytesIO(text.encode()), encoding='utf-8'))  # as a file is read
    except configparser.Error as error:
        results.append({'refused': type(error).__name__})
        continue
    values = {}
    for section in parser.sections():
        for key in parser[section]:
            try:
                values['[%s] %s' % (section, key)] = parser.get(section, key)
            except configparser.Error as error:
                values['[%s] %s' % (section, key)] = None
    results.append({'values': values})
json.dump(results, sys.stdout)
`

type PythonResult = { refused: string } | { values: Record<string, string | null> }

/** What Python's configparser makes of each text, without the mark that Windows puts at the beginning, which Python refuses. */
function python(texts: readonly string[]): PythonResult[] {
  const input = JSON.stringify(texts.map((text) => text.replace(/^\uFEFF/, '')))
  const { stdout, stderr } = spawnSync('python3', ['-c', DUMP], {
    input,
    encoding: 'utf8',
    maxBuffer: 100_000_000,
  })
  if (stderr) throw new Error(stderr)
  return JSON.parse(stdout)
}

/** What is read of a text, if nothing is said about the whole of it: the values about which nothing is said. */
function silently(text: string): Record<string, string> | undefined {
  const { sections, problems, warnings } = readConfigLines(text)
  const entries = [...sections.values()].flatMap((section) => [...section.values()])
  const hasLoneKeys = entries.some(({ value }) => value === undefined)
  if (sections.size === 0 || problems.length > 0 || warnings.length > 0 || hasLoneKeys) return undefined
  const silent: Record<string, string> = Object.create(null)
  for (const [name, section] of sections) {
    if (name === DEFAULT_SECTION) continue
    const all = new Map([...(sections.get(DEFAULT_SECTION) ?? []), ...section])
    for (const [key, entry] of all) {
      const value = readValue(entry, all)
      if (value.problems.length === 0 && value.warnings.length === 0) silent[`[${name}] ${key}`] = value.text
    }
  }
  return silent
}

const hasPython = spawnSync('python3', ['-c', 'import configparser']).status === 0

describe.skipIf(!hasPython)("Python's configparser (needs python3)", () => {
  test('reads the same, or what it reads otherwise is refused or warned of', () => {
    const piece = fc.constantFrom(
      ...[
        '[a]',
        '[b]',
        '[ a ]',
        '[a',
        'a]',
        '[a] # x',
        '[a]]',
        '[]',
        '[DEFAULT]',
        '[default]',
        '["a"]',
        '[a.b]',
      ],
      ...[
        'k',
        'K',
        'l',
        'k[]',
        '__proto__',
        'constructor',
        '=',
        ':',
        ' = ',
        ' : ',
        '1',
        'true',
        'null',
        'ü',
        '',
        ' ',
      ],
      ...[
        ';',
        '#',
        ' ;',
        ' #',
        '"',
        "'",
        '\\',
        '\\;',
        '"x"',
        "'y'",
        '%',
        '%%',
        '%(k)s',
        '%(l)s',
        '%(K)s',
        '%(',
        '\t',
      ],
      ...[
        '  ',
        '\u00a0',
        '\u3000',
        '\u0085',
        '\u2028',
        '\uFEFF',
        '\u200b',
        '\0',
        '\x0b',
        '\x1c',
        '[',
        ']',
        'rem x',
        '\n',
      ],
    )
    const line = fc.oneof(
      { weight: 2, arbitrary: fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join('')) },
      fc.constantFrom(
        '[a]',
        '[b]',
        '[DEFAULT]',
        'k = 1',
        'l: %(k)s',
        'k = 1 ; x',
        '  k = 2',
        '\tl = 3',
        '# x',
        '',
        'm = 5%%',
      ),
    )
    const text = fc
      .array(fc.tuple(line, fc.constantFrom('\n', '\n', '\n', '\r\n', '\r')), { maxLength: 7 })
      .map((lines) => lines.flat().join(''))
    // Most texts of random lines have something wrong, so the best test is a file with few of them.
    const texts = fc.sample(
      fc.oneof(
        text,
        text.map((rest) => `[a]\nk = 1\n${rest}`),
        line.map((one) => `[a]\nk = 1\n${one}\n[b]\nk = 2\nl = 3\n`),
      ),
      Number(process.env['TEXTS'] ?? 1_500),
    )
    const results = python(texts)
    let agreed = 0
    for (const [index, source] of texts.entries()) {
      const ours = silently(source)
      if (ours === undefined) continue
      const theirs = results[index] as PythonResult
      expect({ source, ...theirs }).toEqual({ source, values: expect.objectContaining(ours) })
      agreed += 1
    }
    expect(agreed).toBeGreaterThan(150)
  })
})
