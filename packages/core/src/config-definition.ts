/**
 * The shape of a whole configuration file: its sections, their keys, what each takes and what it is for. A program reads its
 * section by it, `--migrate` writes a file by it, and the JSON Schema for editors is made of it: one place, and no second
 * one to keep in step.
 *
 * @since 0.20.0
 */
import * as v from 'valibot'
import type { CamelCase } from './config.ts'
import { takenBy } from './config-values.ts'

/** A key of a section. */
export interface KeyShape {
  /** What it takes, as JSON has it: `port`, `secret(text)`. */
  schema: v.GenericSchema
  /** What it is for, in a sentence or two: an editor shows that. */
  description: string
  /** What stands for it where it is not said, as it would stand in JSON. Without one it has to be there. */
  default?: unknown
  /** What it was called before. That is still read, with a warning. */
  formerly?: string
  /** Of a list of texts: the key of the same section whose names they are. It has one of them at least, and each once. */
  among?: string
}

/** A section of a configuration: the object of that name in the file. */
export interface SectionShape {
  /** What it is for: an editor shows that. */
  description: string
  /** By their names in the file. */
  keys: Readonly<Record<string, KeyShape>>
  /** What it was called before. That is still read, with a warning. */
  formerly?: string
}

/** The values of a section: `socket_port` in the file is `socketPort` in the program. */
export type SectionValues<Section extends SectionShape> = {
  [Key in keyof Section['keys'] & string as CamelCase<Key>]: v.InferOutput<Section['keys'][Key]['schema']>
}

/** A whole configuration file, as {@link defineConfig} makes it. */
export class ConfigDefinition<Sections extends Readonly<Record<string, SectionShape>>> {
  readonly sections: Sections

  constructor(sections: Sections) {
    this.sections = sections
    for (const [section, { keys }] of Object.entries(sections)) {
      for (const [key, shape] of Object.entries(keys)) {
        if (shape.default === undefined || v.is(shape.schema, shape.default)) continue
        throw new TypeError(
          `The default of ${section}.${key} is ${JSON.stringify(shape.default)}. It takes ${takenBy(shape.schema)}.`,
        )
      }
    }
  }
}

/**
 * Says what a configuration file may have: by the name of each section what it is for, and its keys.
 *
 * @throws TypeError when a default is none that its schema takes
 */
export function defineConfig<const Sections extends Readonly<Record<string, SectionShape>>>(
  sections: Sections,
): ConfigDefinition<Sections> {
  return new ConfigDefinition(sections)
}

/**
 * Any definition.
 *
 * @internal
 */
export type AnyDefinition = ConfigDefinition<Readonly<Record<string, SectionShape>>>
