/** What a command line orders: the tiles of a picture, or one task. */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { OperationalError } from '@rpi-cluster/core/lifecycle'
import type { NewTask } from '@rpi-cluster/core/tasks'
import { type Tile, tilesOf, type View } from './picture.ts'

const USAGE =
  'Say what is to be done: mandelbrot --width 1600 --view seahorses, or a task with its input: trouble throw. With --requires camera a node has to have that; with --no-wait it is only handed in; with --id it is the same work, however often it is handed in.'

export interface Order {
  /** What its tasks are called together. */
  group: string
  tasks: NewTask[]
  /** How large the picture is, if it is one. */
  picture?: Tile['whole'] | undefined
  waits: boolean
}

/** Takes the command line apart; what is left of it is --config FILE, or nothing. */
export function orderFrom(argv: string[]): Order {
  const { values, positionals } = parsed(argv.splice(2))
  if (values.config !== undefined) argv.push('--config', values.config)
  const [name, input, ...others] = positionals
  if (name === undefined || others.length > 0) throw new OperationalError(USAGE)
  const { id } = values
  const group = id ?? `${name}-${randomBytes(3).toString('hex')}`
  const known = (part = '') => id !== undefined && { id: `${id}${part}` }
  const waits = !values['no-wait']
  const wants = { name, group, ...(values.requires && { requires: values.requires }) }
  if (name !== 'mandelbrot')
    return { group, tasks: [{ ...wants, input: inputFrom(input), ...known() }], waits }
  if (input !== undefined) throw new OperationalError(USAGE)
  const tiles = tilesOf({ width: Number(values.width), view: values.view as View })
  const tasks = tiles.map((tile) => ({ ...wants, input: tile, ...known(`/${tile.x}-${tile.y}`) }))
  return { group, tasks, picture: tiles[0]?.whole, waits }
}

function parsed(args: string[]) {
  const options = {
    width: { type: 'string', default: '800' },
    view: { type: 'string', default: 'whole' },
    id: { type: 'string' },
    requires: { type: 'string', multiple: true },
    'no-wait': { type: 'boolean', default: false },
    config: { type: 'string' },
  } as const
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    const [why] = (error as Error).message.split('. ') // the rest is advice for who writes programs
    throw new OperationalError(`${why}. ${USAGE}`)
  }
}

function inputFrom(text = 'null'): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text // a word needs no quotes
  }
}
