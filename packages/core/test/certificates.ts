/** Certificates of an authority that a test makes with openssl, in a folder of its own. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, onTestFinished } from 'vitest'
import type { CertificateFiles } from '../src/secure-sockets.ts'

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0

const CONFIGURATION = `
[ ca ]
default_ca = own
[ own ]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
unique_subject = no
[ any ]
commonName = supplied
`

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

interface Made {
  /** From when to when it is valid, as `20991231235959Z`. */
  from?: string
  to?: string
  /** Whose it is. Default: the node's. */
  name?: string
}

/** An authority, and a certificate for each of some nodes: valid, unless told otherwise. */
export function certificates(
  nodes: Record<string, Made> = {},
): Record<'primary' | string, CertificateFiles> & { primary: CertificateFiles } {
  const folder = mkdtempSync(join(tmpdir(), 'rpi-cluster-certificates-'))
  folders.push(folder)
  writeFileSync(join(folder, 'openssl.cnf'), CONFIGURATION)
  writeFileSync(join(folder, 'index.txt'), '')
  writeFileSync(join(folder, 'serial'), '01\n')
  const newKey = (name: string) => [
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', `${name}.key`, '-subj'],
  ]
  openssl(folder, 'req', '-x509', ...newKey('ca'), '/CN=authority', '-days', '30', '-out', 'ca.crt')
  const made = Object.entries<Made>({ primary: {}, ...nodes }).map(([node, { from, to, name = node }]) => {
    openssl(folder, 'req', ...newKey(node), `/CN=${name}`, '-out', `${node}.csr`)
    const times = ['-startdate', from ?? '20200101000000Z', '-enddate', to ?? '20991231235959Z']
    const files = ['-cert', 'ca.crt', '-keyfile', 'ca.key', '-in', `${node}.csr`, '-out', `${node}.crt`]
    openssl(folder, 'ca', '-batch', '-notext', '-config', 'openssl.cnf', ...times, ...files)
    const [ca, certificate, key] = ['ca.crt', `${node}.crt`, `${node}.key`].map((file) => join(folder, file))
    return [node, { ca, certificate, key }]
  })
  return Object.fromEntries(made)
}

function openssl(folder: string, ...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

/** A listener of TLS that shows a certificate, and is none of this library. */
export async function listenTls({ certificate, key }: CertificateFiles): Promise<number> {
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}
