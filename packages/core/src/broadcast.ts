/**
 * One message to all who want it, and who answers it.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.19.0
 */

// Publishing to all who have subscribed, at the pace of each.
export { Broadcast, type BroadcastOptions, type TopicOptions } from './broadcast-topics.ts'
// Saying something to all, and noting who answers.
export { answerTo, type Report, RollCall, type RollCallOptions, reportFrom } from './roll-call.ts'
