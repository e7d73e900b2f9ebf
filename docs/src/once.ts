/** Finds something out once where the site is built, since nothing changes meanwhile; while somebody writes, each time anew. */
export function once<Found>(find: () => Found): () => Found {
  let found: { value: Found } | undefined
  return () => {
    if (process.env['NODE_ENV'] !== 'production') return find()
    found ??= { value: find() }
    return found.value
  }
}
