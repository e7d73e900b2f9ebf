/**
 * The JSON Schema of a configuration, for editors: they complete names, show what each is for, and underline what the program
 * would refuse. It is made of the very schemas that check the values, by valibot's own converter, which no running program loads.
 *
 * @since 0.20.0
 */
import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema'
import type { AnyDefinition, KeyShape, SectionShape } from './config-definition.ts'
import { isSecret, takenBy } from './config-values.ts'

/** A JSON Schema, and words that VS Code knows besides. */
export interface EditorSchema extends JsonSchema {
  /** What to say when a value does not fit. */
  errorMessage?: string
  /** That a name is one of before. */
  deprecationMessage?: string
  /** Not to offer it when a name is completed. */
  doNotSuggest?: boolean
}

/**
 * The JSON Schema (draft 7, which VS Code knows best) of a whole configuration file. It refuses the values that the program
 * refuses, but for names that another key would have to have, and also what the program only warns of: names that are not
 * known. A secret may be missing, since the environment may have it.
 *
 * @param title what the file is, in a few words
 * @throws Error when a schema has something in it that no JSON Schema can say, such as a check of its own
 */
export function jsonSchemaOf(
  { sections }: AnyDefinition,
  title = 'The configuration of a cluster',
): EditorSchema {
  const all = Object.entries(sections)
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title,
    type: 'object',
    properties: {
      $schema: { type: 'string', description: 'Where this schema is, for editors.' },
      ...Object.fromEntries(all.map(([name, section]) => [name, sectionSchema(section, name)])),
      ...Object.fromEntries(
        all.flatMap(([name, section]) =>
          section.formerly === undefined
            ? []
            : [[section.formerly, former(name, `#/properties/${pointerTo(name)}`)]],
        ),
      ),
    },
    additionalProperties: false,
  }
}

function sectionSchema({ description, keys }: SectionShape, section: string): EditorSchema {
  const all = Object.entries(keys)
  const needed = all.filter(([, key]) => key.default === undefined && !isSecret(key.schema))
  const either = needed.flatMap(([name, { formerly }]) =>
    formerly === undefined ? [] : [{ anyOf: [{ required: [name] }, { required: [formerly] }] }],
  )
  return {
    description,
    type: 'object',
    properties: {
      ...Object.fromEntries(all.map(([name, key]) => [name, keySchema(key)])),
      ...Object.fromEntries(
        all.flatMap(([name, key]) =>
          key.formerly === undefined
            ? []
            : [
                [
                  key.formerly,
                  former(name, `#/properties/${pointerTo(section)}/properties/${pointerTo(name)}`),
                ],
              ],
        ),
      ),
    },
    required: needed.filter(([, { formerly }]) => formerly === undefined).map(([name]) => name),
    ...(either.length > 0 && { allOf: either }),
    additionalProperties: false,
  }
}

function keySchema({ schema, description, default: standIn, among }: KeyShape): EditorSchema {
  const { $schema: _, ...converted } = toJsonSchema(schema, {
    typeMode: 'input',
    errorMode: 'throw',
    ignoreActions: ['metadata'],
  })
  return {
    description,
    ...converted,
    ...(standIn !== undefined && { default: standIn as never }),
    ...(among !== undefined && { minItems: 1, uniqueItems: true }),
    errorMessage:
      among === undefined
        ? `It takes ${takenBy(schema)}.`
        : `It takes names of ${among}, one at least, and each once.`,
  }
}

/** What is still read under a name of before: it is what has the new name. */
function former(name: string, place: string): EditorSchema {
  return {
    allOf: [{ $ref: place }],
    deprecationMessage: `This is called ${JSON.stringify(name)} now.`,
    doNotSuggest: true,
  }
}

/** A name in the path of a JSON pointer, which stands in an address. */
function pointerTo(name: string): string {
  return encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))
}
