/** A program in the page has one thread. */
export const threadId = 0
export const isMainThread = true
export const parentPort = null
export const workerData = null
export class Worker {
  constructor() {
    throw new Error('A program in the page has no threads.')
  }
}
export default { threadId, isMainThread, parentPort, workerData, Worker }
