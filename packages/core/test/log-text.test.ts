import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { escapeControls, escapeInvisible, shortenLine, showInvisible } from '../src/log-text.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('\x1b', '\x9b', '\x7f', '\n', '\u202e', '\u2028', '\\', '"', 'u', '001b', 'n'),
  }),
)

describe('escapeInvisible', () => {
  test.each([
    ...['\x7f', '\x9b', '\u061c', '\u200e', '\u2028', '\u202e', '\u2069'],
    ...[
      '\u00ad',
      '\u034f',
      '\u115f',
      '\u180e',
      '\u200b',
      '\u200c',
      '\u200d',
      '\u2060',
      '\u3164',
      '\ufe0f',
      '\ufeff',
    ],
  ])('shows %j as its code', (char) => {
    const code = char.charCodeAt(0).toString(16).padStart(4, '0')
    expect(escapeInvisible(`"${char}"`)).toBe(`"\\u${code}"`)
  })

  test('shows a character beyond U+FFFF as the two codes of JSON', () => {
    expect(escapeInvisible('"\u{e0001}\u{e0041}\u{e007f}\u{e0100}"')).toBe(
      String.raw`"\udb40\udc01\udb40\udc41\udb40\udc7f\udb40\udd00"`,
    )
  })

  test('leaves the letters of every language alone, and the marks on them', () => {
    const json = '"für 東京, عربي ٪ ۝ \u0601, क्ष, e\u0301, 👧🏽, 5\u00a0%"'
    expect(escapeInvisible(json)).toBe(json)
  })

  test('shows the joiner of an emoji, which hides as well between other characters', () => {
    expect(escapeInvisible('"👨\u200d👧"')).toBe('"👨\\u200d👧"')
  })

  test('never changes what the JSON means', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), text, (value, string) => {
        const json = JSON.stringify([value, string])
        expect(JSON.parse(escapeInvisible(json))).toEqual(JSON.parse(json))
      }),
    )
  })
})

describe('showInvisible', () => {
  test('shows controls, halves of characters, and spaces that are not the usual one, too', () => {
    expect(showInvisible('a b\u00a0\u3000\u2800\t\n\x1b\u200b\ud800é👧')).toBe(
      String.raw`a b\u00a0\u3000\u2800\u0009\u000a\u001b\u200b\ud800é👧`,
    )
  })
})

describe('escapeControls', () => {
  test('makes ESC and line ends the characters of their escapes', () => {
    expect(JSON.parse(escapeControls(JSON.stringify('a\x1b[31m\nb\tc')))).toBe('a\\u001b[31m\\nb\\tc')
  })

  test('leaves quotes, backslashes and slashes alone', () => {
    const json = String.raw`"C:\\new \"name\" a\/b \\u001b"`
    expect(escapeControls(json)).toBe(json)
  })

  test('after escapeInvisible leaves no control character to be shown', () => {
    fc.assert(
      fc.property(text, (string) => {
        const shown: string = JSON.parse(escapeControls(escapeInvisible(JSON.stringify(string))))
        expect(shown).not.toMatch(
          /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\p{Cs}]/u,
        )
      }),
    )
  })
})

describe('shortenLine', () => {
  test('keeps what has 2000 characters, and shortens what has one more, with its length said', () => {
    const line = { whole: 'a'.repeat(2000), long: 'b'.repeat(2001), list: Array(1000).fill(10) }
    expect(JSON.parse(shortenLine(`${JSON.stringify(line)}\n`))).toEqual({
      whole: line.whole,
      long: `${'b'.repeat(1000)}... (2001 characters in all)`,
      list: `${JSON.stringify(line.list).slice(0, 1000)}... (3001 characters in all)`,
    })
  })

  test('leaves a line alone that has nothing long in it', () => {
    const line = `${JSON.stringify({ a: 1, msg: 'short', list: [{ b: null }] })}\n`
    expect(shortenLine(line)).toBe(line)
  })

  test('always gives one line of JSON, with the same keys', () => {
    const values = fc.oneof(
      fc.jsonValue({ stringUnit: 'binary' }),
      fc.nat(4000).map((length) => '\u{1f600}x"\n'.repeat(length)),
    )
    fc.assert(
      fc.property(fc.dictionary(fc.string(), values, { minKeys: 1 }), (record) => {
        const line = shortenLine(`${JSON.stringify(record)}\n`)
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(Object.keys(JSON.parse(line))).toEqual(Object.keys(record))
      }),
    )
  })
})
