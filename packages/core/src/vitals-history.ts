/**
 * A vital's past, as whoever asked for it gets it over the wire: looked at before it is trusted.
 *
 * @since 0.17.0
 */
import * as v from 'valibot'
import { OperationalError } from './lifecycle.ts'
import type { History } from './store.ts'

/** The most points and lines that anybody has asked for. */
const MOST_POINTS = 500
const MOST_LINES = 100

const shortText = v.pipe(v.string(), v.maxLength(200))
const finite = v.pipe(v.number(), v.finite())
const isPoint = (value: unknown) => value === null || Number.isFinite(value)

/** One check for all numbers: there may be fifty thousand of them. */
const points = v.custom<(number | null)[]>(
  (value) => Array.isArray(value) && value.length <= MOST_POINTS && value.every(isPoint),
)

const line = v.object({
  node: shortText,
  name: shortText,
  mean: points,
  min: v.optional(points),
  max: v.optional(points),
})

const history = v.pipe(
  v.object({
    vital: shortText,
    label: v.optional(shortText),
    unit: v.optional(shortText),
    from: finite,
    to: finite,
    step: v.pipe(finite, v.minValue(1)),
    times: v.custom<number[]>(
      (value) => Array.isArray(value) && value.length <= MOST_POINTS && value.every(Number.isFinite),
    ),
    lines: v.pipe(v.array(line), v.maxLength(MOST_LINES)),
    more: v.optional(v.number()),
  }),
  v.check(({ times, lines }) =>
    lines.every(({ mean, min = mean, max = mean }) =>
      [mean, min, max].every(({ length }) => length === times.length),
    ),
  ),
)

/**
 * The payload of an answer to `history`, if it is one.
 *
 * @throws OperationalError when it is something else
 */
export function historyFrom(payload: unknown): History {
  const parsed = v.safeParse(history, payload)
  if (!parsed.success) throw new OperationalError('What came is no history of a vital.')
  return parsed.output as History // where its optional keys are not there, it has none of them
}
