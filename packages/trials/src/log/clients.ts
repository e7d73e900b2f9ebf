/**
 * Clients of the simulated queue. Each wants one thing at a time, of any member; when no answer comes it asks again, mostly
 * another member, and gives up now and then. What they were told is written down for each task.
 */
import type { Chance } from '../simulated/chance.ts'
import type { Operation } from './linearizable.ts'
import type { LogMachine, Reply } from './log-machine.ts'
import type { LogWorld } from './log-world.ts'
import type { TaskInput, TaskOutput } from './task-model.ts'

/** How many tasks there are of which a client may want something at a time. */
const TASKS_AT_A_TIME = 4

/** How many operations there may be of one task, and of how many nobody knows what came of them: what the checker has to do grows with them. */
const MOST_OF_A_TASK = 40
const MOST_UNKNOWN = 6

type Recorded = {
  -readonly [Key in keyof Operation<TaskInput, TaskOutput>]: Operation<TaskInput, TaskOutput>[Key]
}

export class Clients {
  readonly histories = new Map<string, Recorded[]>()
  /** What all clients know of the tasks that they were told are there: whether they are done. */
  readonly submitted = new Map<string, boolean>()
  readonly #world: LogWorld
  readonly #chance: Chance
  readonly #clients: Client[]
  /** Orders what clients ask and hear, also when it is at the same time. */
  #moments = 0
  #tasks = TASKS_AT_A_TIME
  /** Whether nothing new is wanted any more, and what there is shall be done. */
  isFinishing = false

  constructor(world: LogWorld, chance: Chance) {
    this.#world = world
    this.#chance = chance
    this.#clients = Array.from(
      { length: world.drawn.clients },
      (_, index) => new Client(`client-${index + 1}`, this, world, chance),
    )
    for (const client of this.#clients) client.rest()
  }

  get areDone(): boolean {
    return [...this.submitted.values()].every((isDone) => isDone)
  }

  called(task: string, input: TaskInput): Recorded {
    const operation: Recorded = { input, calledAt: ++this.#moments }
    const history = this.histories.get(task)
    if (history) history.push(operation)
    else this.histories.set(task, [operation])
    return operation
  }

  returned(task: string, operation: Recorded, output: TaskOutput): void {
    operation.returned = { output, at: ++this.#moments }
    if (output.kind === 'submit' && !this.submitted.has(task)) this.submitted.set(task, false)
    if (output.kind === 'finish' && output.isDone) this.submitted.set(task, true)
    if ('is' in output && output.is.startsWith('done')) this.submitted.set(task, true)
  }

  /** What a client may want next. */
  wish(client: Client): { task: string; input: TaskInput } | undefined {
    const task = this.isFinishing ? this.#unfinished() : this.#anyTask()
    if (task === undefined) return undefined
    const own = client.leases.get(task)
    if (this.isFinishing) {
      if (own !== undefined) return { task, input: { kind: 'finish', lease: own } }
      return { task, input: this.#chance.is(0.3) ? this.#read(client) : this.#take(client) }
    }
    const kind = this.#chance.next()
    if (kind < 0.25) return { task, input: { kind: 'submit' } }
    if (kind < 0.5) return { task, input: this.#take(client) }
    if (kind < 0.75) return { task, input: this.#read(client) }
    const lease = own ?? this.#chance.one(this.#clients).leases.get(task)
    return { task, input: lease === undefined ? this.#take(client) : { kind: 'finish', lease } }
  }

  #take(client: Client): TaskInput {
    return { kind: 'take', lease: `${client.name}/${client.number + 1}` }
  }

  /** Reads rest on clocks: where they are too wrong, what is read may be stale. */
  #read(client: Client): TaskInput {
    return this.#world.drawn.clocks === 'wild' ? this.#take(client) : { kind: 'read' }
  }

  #anyTask(): string {
    const number = this.#chance.whole(this.#tasks - TASKS_AT_A_TIME + 1, this.#tasks)
    const task = `task-${number}`
    const history = this.histories.get(task) ?? []
    // With some that are older come others that are new.
    if (history.length > MOST_OF_A_TASK / 2 || this.submitted.get(task)) this.#tasks += 1
    const unknown = history.filter(({ returned }) => !returned).length
    const isEnough = history.length >= MOST_OF_A_TASK || unknown >= MOST_UNKNOWN
    return isEnough ? `task-${++this.#tasks}` : task
  }

  #unfinished(): string | undefined {
    const tasks = [...this.submitted].flatMap(([task, isDone]) => (isDone ? [] : [task]))
    return tasks.length === 0 ? undefined : this.#chance.one(tasks)
  }
}

class Client {
  readonly name: string
  /** The how many-th wish this is. */
  number = 0
  /** What it has taken, by task. */
  readonly leases = new Map<string, string>()
  readonly #clients: Clients
  readonly #world: LogWorld
  readonly #chance: Chance
  #asked: LogMachine | undefined

  constructor(name: string, clients: Clients, world: LogWorld, chance: Chance) {
    this.name = name
    this.#clients = clients
    this.#world = world
    this.#chance = chance
  }

  /** Wants nothing for a while. */
  rest(): void {
    this.#world.later(this.#chance.wait(this.#world.drawn.restMs), () => this.#want())
  }

  #want(): void {
    const wish = this.#clients.wish(this)
    if (!wish) {
      this.rest()
      return
    }
    const { task, input } = wish
    this.number += 1
    const { number } = this
    const operation = this.#clients.called(task, input)
    this.#world.tell(`${this.name} wants: ${told(task, input)}`)
    const returned = (output: TaskOutput) => {
      this.#world.tell(`${this.name} hears: ${told(task, input)}: ${toldOfOutput(output)}`)
      this.#clients.returned(task, operation, output)
      if (output.kind === 'take' && output.isTaken && input.kind === 'take')
        this.leases.set(task, input.lease)
      if (output.kind === 'finish' || (output.kind === 'take' && !output.isTaken)) this.leases.delete(task)
      this.rest()
    }
    this.#ask({ client: this.name, number, task, input }, returned)
  }

  /** Asks a member, until one answers or it has asked often enough. */
  #ask(
    wish: { client: string; number: number; task: string; input: TaskInput },
    returned: (output: TaskOutput) => void,
  ): void {
    const { electionMs } = this.#world.drawn
    let isOver = false
    let attempt = 0
    const again = () => {
      if (isOver) return
      if (attempt > 0 && !this.#clients.isFinishing && this.#chance.is(0.1)) {
        isOver = true
        this.#world.tell(`${this.name} gives up: ${told(wish.task, wish.input)}`)
        this.rest()
        return
      }
      attempt += 1
      const asked = attempt
      const { machines } = this.#world
      const machine = this.#asked && attempt % 2 === 1 ? this.#asked : this.#chance.one(machines)
      const reply = (reply: Reply) => {
        if (isOver) return
        if ('output' in reply) {
          isOver = true
          this.#asked = machine
          returned(reply.output)
          return
        }
        this.#asked = reply.leader === null ? undefined : this.#world.byId(reply.leader)
        if (asked === attempt) {
          attempt += attempt % 2
          this.#world.later(this.#chance.wait(electionMs / 20), again)
        }
      }
      this.#world.request(machine, { wish, reply })
      this.#world.later(electionMs * this.#chance.between(0.5, 1.5), () => {
        if (asked === attempt) again()
      })
    }
    again()
  }
}

function told(task: string, input: TaskInput): string {
  return 'lease' in input ? `${input.kind} ${task} as ${input.lease}` : `${input.kind} ${task}`
}

function toldOfOutput(output: TaskOutput): string {
  switch (output.kind) {
    case 'submit':
      return 'it is there'
    case 'take':
      return output.isTaken ? 'taken' : 'not taken'
    case 'finish':
      return output.isDone ? 'done' : 'refused'
    case 'read':
      return `it is ${output.is}`
  }
}
