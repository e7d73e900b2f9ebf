/**
 * A process of its own: prints the JSON Schema of each source that it is given, a chapter's `src/config.ts`, as a list of
 * texts in JSON.
 */
import { pathToFileURL } from 'node:url'
import { ConfigDefinition } from '@rpi-cluster/core/json-config'
import { jsonSchemaOf } from '@rpi-cluster/core/json-schema'

const texts: string[] = []
for (const source of process.argv.slice(2)) {
  const exported = await exportsOf(source)
  const definition = Object.values(exported).find((value) => value instanceof ConfigDefinition)
  if (!definition) {
    console.error(`${source}: it exports nothing that defineConfig has made, and so has no JSON Schema.`)
    process.exit(1)
  }
  texts.push(`${JSON.stringify(jsonSchemaOf(definition), undefined, 2)}\n`)
}
console.log(JSON.stringify(texts))

/** What a source gives to others. One that cannot be run is told in a line. */
async function exportsOf(source: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(source).href)
  } catch (error) {
    const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    console.error(`${source}: it cannot be run, and so has no JSON Schema: ${why}`)
    process.exit(1)
  }
}
