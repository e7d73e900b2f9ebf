/** What it costs to prove who one is, and to encrypt. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addKey } from '@rpi-cluster/core/keys'
import getPort from 'get-port'
import type { Sample } from '../measurement.ts'
import type { Window } from '../meter.ts'
import { startNatsServer } from '../nats-server.ts'
import { ask, canHoldToCores, end, program, told } from '../processes.ts'
import { roundTrips } from '../round-trip.ts'
import { throughput } from '../throughput.ts'
import { WAYS, type Way } from './ways.ts'

/** How long handshakes are counted, in ms. */
const FOR_MS = 2_000

const SIZES = { '62 bytes': 62, '1 KiB': 1024 }

/** All figures of one round. */
export async function secureCosts(
  hasNats: boolean,
  window: Window,
  progress: (what: string) => void,
): Promise<Sample> {
  const secrets = mkdtempSync(join(tmpdir(), 'rpi-cluster-bench-'))
  const natsPort = await getPort()
  Object.assign(process.env, { BENCH_SECRETS: secrets, BENCH_NATS_TLS: String(natsPort) })
  await addKey({ folder: join(secrets, 'keys'), node: 'pi-1' })
  const nats = hasNats ? await natsWithTls(secrets, natsPort) : undefined
  const names = [...WAYS, ...(nats ? ['natsOverTls'] : [])]
  const sample: Sample = {}
  try {
    for (const way of WAYS) {
      progress(`handshakes: ${way}`)
      sample[`${way} handshakes`] = await handshakes(way)
    }
    for (const [size, bytes] of Object.entries(SIZES)) {
      for (const name of names) {
        progress(`${size}: ${name}`)
        const port = name === 'natsOverTls' ? natsPort : 0
        sample[`${name} ${size}`] = (await throughput(name, bytes, window, { port })).perSecond
      }
    }
    progress('request and answer')
    const found = await roundTrips(names, { aCoreEach: canHoldToCores })
    for (const [name, { p50, p99 }] of Object.entries(found))
      Object.assign(sample, { [`${name} p50`]: p50, [`${name} p99`]: p99 })
    return sample
  } finally {
    nats?.kill()
    rmSync(secrets, { recursive: true, force: true })
  }
}

async function handshakes(way: Way): Promise<number> {
  const answerer = program('answerer.ts', [way])
  const children = [answerer]
  try {
    const { port } = await ask<{ port: number }>(answerer, {})
    const connecting = program('secure/handshakes.ts', [way, port, FOR_MS])
    children.push(connecting)
    return (await told<{ perSecond: number }>(connecting)).perSecond
  } finally {
    end(children)
  }
}

/** A NATS server with a certificate of its own, by openssl. */
async function natsWithTls(folder: string, port: number) {
  const file = (name: string) => join(folder, name)
  spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=nats', '-addext', 'subjectAltName=DNS:localhost'],
    ...['-keyout', file('nats.key'), '-out', file('ca.crt')],
  ])
  return startNatsServer(port, ['--tls', '--tlscert', file('ca.crt'), '--tlskey', file('nats.key')])
}
