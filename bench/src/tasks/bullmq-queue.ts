/** What the programs of BullMQ agree on. */
export const QUEUE = 'empty'

/** As many of those that have ended are kept as BullMQ's pages advise. */
export const REMOVE = { removeOnComplete: { count: 1_000 }, removeOnFail: { count: 5_000 } }
