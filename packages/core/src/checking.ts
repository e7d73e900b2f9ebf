/**
 * Checking messages: that a frame is JSON says nothing about what is in it, so a schema says what a message must
 * be, and one that is not breaks the protocol.
 *
 * @since 0.5.0
 */
import * as v from 'valibot'
import type { ParseOptions } from './decoder.ts'
import type { BudgetOptions } from './frame-budget.ts'
import { FrameError, type FrameOptions, SHOWN } from './frames.ts'

/** Which messages {@link receive} and {@link forEachMessage} take, and how large they may be. */
export interface ReceiveOptions<Schema extends v.GenericSchema>
  extends FrameOptions,
    ParseOptions,
    BudgetOptions {
  /** What every message must be. One that is not breaks the protocol. */
  schema: Schema
  /**
   * A test that costs less than the schema, where many messages come. A message that passes it is taken
   * as it is, with every key that it has; only one that does not is shown to the schema. Default: none passes.
   */
  accepts?: (message: unknown) => message is v.InferOutput<Schema>
}

/**
 * The message, if it is right.
 *
 * @throws FrameError if it is not
 * @internal
 */
export function checked<Schema extends v.GenericSchema>(
  message: unknown,
  { schema, accepts }: ReceiveOptions<Schema>,
  from: string,
): v.InferOutput<Schema> {
  return accepts?.(message) ? message : check(schema, message, from)
}

function check<Schema extends v.GenericSchema>(
  schema: Schema,
  message: unknown,
  from: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, message)
  if (result.success) return result.output
  const [issue] = result.issues
  const key = v.getDotPath(issue)
  if (key !== null && issue.received === 'undefined')
    throw new FrameError('of the wrong shape', `it has no "${key}"`, { from })
  const found = issue.received.length > SHOWN ? `${issue.received.slice(0, SHOWN)}...` : issue.received
  const what = key === null ? 'it' : `its "${key}"`
  throw new FrameError('of the wrong shape', `${what} is ${found}, where ${issue.expected} is expected`, {
    from,
  })
}
