/** The options of `start` that depend on the chapters: how many of which program, and with which configuration. */
import { variableOf } from '@rpi-cluster/core/config-environment'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Chapter } from '../chapters/chapters.ts'
import { MOST_COPIES } from '../chapters/cluster.ts'
import { mostCopies } from '../chapters/ports.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import type { Copies } from './members.ts'

/** Gives `start` an option for each kind of program of which some chapter can start several, such as `--nodes`. */
export function addCopiesOptions(start: Command, chapters: readonly Chapter[]): void {
  for (const many of pluralsOf(chapters)) {
    const having = chapters.filter((chapter) => pluralsOf([chapter]).includes(many))
    start.addOption(
      new Option(`--${many} <number>`, `how many ${many} to start (${numbersOf(having)})`).argParser(count),
    )
  }
}

/**
 * How many of each program the reader has asked for.
 *
 * @param chapters those that the command's options were made of
 * @throws ReaderError when the chapter has no such program, and when it cannot have so many
 */
export function copiesAskedFor(start: Command, chapter: Chapter, chapters: readonly Chapter[]): Copies {
  const copies: Record<string, number> = {}
  for (const many of pluralsOf(chapters)) {
    const asked: number | undefined = start.getOptionValue(new Option(`--${many}`).attributeName())
    if (asked === undefined) continue
    const program = chapter.programs.find((program) => program.many === many)
    if (!program) throw new ReaderError(hasNone(many, chapter, chapters))
    const most = mostCopies(program, chapter)
    if (asked > most) {
      throw new ReaderError(
        `${chapter.name} has ports or configurations for ${most} ${many}: --${many} takes at most ${most}.`,
      )
    }
    copies[program.name] = asked
  }
  return copies
}

/** Gives `start` an option for each thing that may be chosen at the start of some chapter, such as `--queue`. */
export function addChoices(start: Command, chapters: readonly Chapter[]): void {
  const choices = chapters.flatMap((chapter) => chapter.choices.map((choice) => ({ ...choice, chapter })))
  for (const name of new Set(choices.map((choice) => choice.name))) {
    const having = choices.filter((choice) => choice.name === name)
    const values = [...new Set(having.flatMap((choice) => choice.of))]
    const where = numbersOf(having.map(({ chapter }) => chapter))
    start.addOption(new Option(`--${name} <kind>`, `which ${name} (${where})`).choices(values))
  }
}

/**
 * What the reader has chosen, as it is in the environment of the programs.
 *
 * @throws ReaderError when there is no such choice in the chapter
 */
export function choicesMade(
  start: Command,
  chapter: Chapter,
  chapters: readonly Chapter[],
): Record<string, string> {
  const names = new Set(chapters.flatMap(({ choices }) => choices.map(({ name }) => name)))
  const made: Record<string, string> = {}
  for (const name of names) {
    const value: string | undefined = start.getOptionValue(name)
    if (value === undefined) continue
    const choice = chapter.choices.find((one) => one.name === name)
    if (!choice?.of.includes(value)) {
      const having = chapters.filter((other) =>
        other.choices.some((one) => one.name === name && one.of.includes(value)),
      )
      throw new ReaderError(
        `${chapter.name} has no ${name} "${value}" to choose (${numbersOf(having)} ${having.length === 1 ? 'has' : 'have'} it).`,
      )
    }
    const [section = '', key = ''] = choice.place.split('.')
    made[variableOf(section, key)] = value
  }
  return made
}

/**
 * The configuration file that the reader has asked for.
 *
 * @throws ReaderError when the chapter's programs read none
 */
export function configAskedFor(file: string, chapter: Chapter, chapters: readonly Chapter[]): string {
  if (chapter.config !== undefined) return file
  const own = chapter.programs.find(({ config }) => config !== undefined)
  if (own) {
    throw new ReaderError(
      `In ${chapter.name} each ${own.name} has a configuration of its own (${own.config}): start takes no --config.`,
    )
  }
  const first = chapters.find(({ config }) => config !== undefined)
  throw new ReaderError(
    `${chapter.name} has its values in the code: it takes no --config${first ? ` (chapter ${twoDigits(first)} brings it)` : ''}.`,
  )
}

function hasNone(many: string, chapter: Chapter, chapters: readonly Chapter[]): string {
  const having = chapters.filter((other) => pluralsOf([other]).includes(many))
  const own = pluralsOf([chapter]).map((plural) => `--${plural}`)
  const [first] = having
  const isLater = first && first.number > chapter.number
  return [
    `${chapter.name} ${chapter.programs.length === 1 ? 'is a single program: it ' : ''}has no ${many} to start`,
    isLater
      ? ` (chapter ${twoDigits(first)} brings them).`
      : ` (${numbersOf(having)} ${having.length === 1 ? 'has' : 'have'} them).`,
    own.length > 0 ? ` It takes ${own.join(' and ')}.` : '',
  ].join('')
}

function pluralsOf(chapters: readonly Chapter[]): string[] {
  return [...new Set(chapters.flatMap(({ programs }) => programs.flatMap(({ many }) => many ?? [])))]
}

/** `chapters 03 to 15`, or `chapter 26`. */
function numbersOf(chapters: readonly Chapter[]): string {
  const [first, last] = [chapters[0], chapters.at(-1)]
  if (!first || !last) return ''
  return first.number === last.number
    ? `chapter ${twoDigits(first)}`
    : `chapters ${twoDigits(first)} to ${twoDigits(last)}`
}

function twoDigits({ number }: Chapter): string {
  return String(number).padStart(2, '0')
}

function count(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < 1 || number > MOST_COPIES) {
    throw new InvalidArgumentError(`It takes a whole number from 1 to ${MOST_COPIES}.`)
  }
  return number
}
