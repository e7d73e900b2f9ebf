import { Ajv } from 'ajv'
import fc from 'fast-check'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { inForce } from '../src/config-in-force.ts'
import { readConfigText } from '../src/config-text.ts'
import { defineConfig, listOf, text } from '../src/json-config.ts'
import { jsonSchemaOf } from '../src/json-schema.ts'
import { config } from './json-definition.ts'

const schema = jsonSchemaOf(config)
const validate = new Ajv({
  strict: true,
  strictRequired: false,
  keywords: ['errorMessage', 'deprecationMessage', 'doNotSuggest'],
}).compile(schema as object)

/** Whether a program takes a file that has this, and not even warns. */
function isTaken(file: unknown): boolean {
  const text = readConfigText('x.json', JSON.stringify(file), [])
  const sections = Object.keys(config.sections).filter((name) => name in (file as object))
  const { problems } = inForce(config, sections, text, {})
  return problems.length === 0
}

const values = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    1,
    30,
    31,
    65_535,
    65_536,
    1.5,
    -1,
    '',
    ' ',
    '1',
    'pi',
    'pi:80',
    '1.2.3',
  ),
  fc.constantFrom<unknown>(
    '1.2.3.4',
    '::1',
    'fe80::1%eth0',
    'a_b',
    'calm',
    'loud',
    [],
    ['pi', ''],
    ['pi'],
    {},
    [[]],
  ),
  fc.ipV6(),
  fc.domain(),
  fc.string(),
  fc.integer(),
  fc.jsonValue({ maxDepth: 1 }),
)

test('accepts and refuses the values that a program does', () => {
  const taken = { yes: 0, no: 0 }
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(config.sections.hub.keys)), values, (key, value) => {
      const file = { hub: { socket_port: 1, [key]: value } }
      const isRight = isTaken(file)
      expect(validate(file), JSON.stringify(file)).toBe(isRight)
      taken[isRight ? 'yes' : 'no'] += 1
    }),
    { numRuns: 2_000 },
  )
  // Neither of the two is rare.
  expect(Math.min(taken.yes, taken.no)).toBeGreaterThan(300)
})

test.each([
  [{}, true],
  [{ $schema: './x.json', hub: { socket_port: 1 } }, true],
  [{ hub: {} }, false],
  [{ hub: 5 }, false],
  [{ boss: { socket_port: 1, second: 'pi' } }, true],
  [{ boss: { socket_port: 'x' } }, false],
  [{ leaf: { socket_port: 1, boss_ip: 'pi' } }, true],
  [{ leaf: { socket_port: 1 } }, false],
  // Warnings to a program, and underlined in an editor.
  [{ hub: { socket_port: 1, raw_dys: 1 } }, false],
  [{ hbu: { socket_port: 1 } }, false],
])('the file as a whole: %j', (file, isRight) => expect(validate(file)).toBe(isRight))

test('shows an editor what a key is for, what it takes, and what stands for it', () => {
  const { hub, boss } = schema.properties as Record<string, typeof schema>
  expect(hub?.properties?.['raw_days']).toEqual({
    description: 'How many days are kept.',
    type: 'integer',
    minimum: 1,
    maximum: 30,
    default: 1,
    errorMessage: 'It takes a whole number from 1 to 30.',
  })
  expect(hub?.properties?.['level']).toMatchObject({ enum: ['calm', 'loud'] })
  expect(hub?.properties?.['second']).toMatchObject({
    deprecationMessage: 'This is called "other_host" now.',
    doNotSuggest: true,
  })
  expect(boss?.deprecationMessage).toBe('This is called "hub" now.')
})

test('says of names of another key that there is one, and each once', () => {
  const named = defineConfig({
    a: {
      description: 'A.',
      keys: {
        all: { schema: listOf(text), description: 'All.' },
        first: { schema: listOf(text), among: 'all', description: 'The first.' },
      },
    },
  })
  const { a } = jsonSchemaOf(named).properties as Record<string, typeof schema>
  expect(a?.properties?.['first']).toMatchObject({
    ...{ minItems: 1, uniqueItems: true },
    errorMessage: 'It takes names of all, one at least, and each once.',
  })
  expect(a?.properties?.['all']).not.toHaveProperty('minItems')
})

test('what no JSON Schema can say is not left out quietly', () => {
  const even = v.pipe(
    text,
    v.check((value) => value.length % 2 === 0),
  )
  const odd = defineConfig({ a: { description: 'A.', keys: { b: { schema: even, description: 'B.' } } } })
  expect(() => jsonSchemaOf(odd)).toThrow(/check/)
})
