export const HOST = '127.0.0.1'

/** How large is what is put, and what a task has as its input, in bytes. */
export const VALUE_SIZE = 100
