import { chmod } from 'node:fs/promises'
import { connect as connectTls } from 'node:tls'
import { describe, expect, test, vi } from 'vitest'
import { handleMessages } from '../src/messages.ts'
import { type CertificateFiles, certifiedBy, certifiedWith } from '../src/secure-sockets.ts'
import { connect, listen } from '../src/sockets.ts'
import { certificates, hasOpenssl } from './certificates.ts'
import { aPrimary, echo, echoed, HOST, PATIENCE } from './secure-support.ts'
import { portOf, recordingLog, stopAfterTest } from './support.ts'

/** A listener for certificates, where some nodes have access. */
async function aCertifiedPrimary(files: CertificateFiles, nodes: string[]) {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const secure = await certifiedWith({ ...files, nodes }, { stop, log })
  const served: (string | undefined)[] = []
  const listener = await listen({ peer: 'secondary', host: HOST, port: 0, stop, log, secure }, (peer) => {
    served.push(peer.node)
    return echo(peer)
  })
  const port = portOf(listener)
  return {
    port,
    served,
    connect: (files: CertificateFiles, node = 'primary') =>
      connect({ peer: 'primary', host: HOST, port, stop, secure: certifiedBy({ ...files, node }) }),
    says: (line: RegExp) =>
      vi.waitFor(
        () => expect(records.map(({ msg }) => msg)).toContainEqual(expect.stringMatching(line)),
        PATIENCE,
      ),
  }
}

describe.runIf(hasOpenssl)('by certificates', () => {
  // One authority for all of them: openssl takes as long as everything else here.
  const files: Record<string, CertificateFiles> = hasOpenssl
    ? certificates({
        'pi-1': {},
        'pi-2': {},
        'not-yet': { from: '20990101000000Z' },
        expired: { from: '20200101000000Z', to: '20200201000000Z' },
        strange: { name: '.pi-1' },
      })
    : {}
  const of = (node: string) => files[node] as CertificateFiles

  test('each end is called as its certificate says', async () => {
    const primary = await aCertifiedPrimary(of('primary'), ['pi-1'])
    const connection = await primary.connect(of('pi-1'))
    await echoed(connection, 'hello')
    expect(connection.node).toBe('primary')
    expect(primary.served).toEqual(['pi-1'])
  })

  test.each([
    ['pi-2', /is refused: pi-2 has no access here\./],
    ['strange', /is refused: its certificate has no name in it that a node can have \(CN\)\./],
    [
      'expired',
      /is refused: its certificate was valid until Feb {2}1 00:00:00 2020 GMT, and the clock of this machine says 2/,
    ],
    [
      'not-yet',
      /is refused: its certificate is valid only from Jan {2}1 00:00:00 2099 GMT on, and the clock of this machine says \S+\. Is that right\?/,
    ],
  ])('%s is refused, in words that it is told as well', async (node, line) => {
    const primary = await aCertifiedPrimary(of('primary'), ['pi-1', 'expired', 'not-yet'])
    const connection = await primary.connect(of(node))
    const refused = vi.fn()
    void handleMessages(connection, { refused }, () => {}).catch(() => {})
    await vi.waitFor(() => expect(refused).toHaveBeenCalled(), PATIENCE)
    await primary.says(line)
    expect(primary.served).toEqual([])
  })

  test('who shows none, or one of another authority, is refused', async () => {
    const primary = await aCertifiedPrimary(of('primary'), ['pi-1'])
    const { primary: other } = certificates()
    await expect(primary.connect(other)).rejects.toThrow(
      /^The primary at \S+ is not trusted: its certificate is not of the authority that is trusted here \(\w+\)\.$/,
    )
    await primary.says(
      /is refused: it ended the connection in the handshake\. Does it trust the same authority/,
    )
    const stranger = await primary.connect({ ...other, ca: of('pi-1').ca })
    stranger.socket.resume()
    await primary.says(/is refused: its certificate is not of the authority that is trusted here \(/)
    connectTls({ port: primary.port, host: HOST, rejectUnauthorized: false })
      .resume()
      .on('error', () => {})
    await primary.says(/is refused: it shows no certificate\./)
    expect(primary.served).toEqual([])
  })

  test('an end that listens and is another node, or whose certificate does not hold, is not trusted', async () => {
    const other = await aCertifiedPrimary(of('pi-2'), ['pi-1'])
    await expect(other.connect(of('pi-1'))).rejects.toThrow(
      `The primary at ${HOST}:${other.port} is not trusted: its certificate is that of "pi-2", and not of primary.`,
    )
    const early = await aCertifiedPrimary(of('not-yet'), ['pi-1'])
    await expect(early.connect(of('pi-1'), 'not-yet')).rejects.toThrow(
      /valid only from later on.* A Pi has none of its own/,
    )
  })

  test('and by keys are two things, and neither takes the other', async () => {
    const byKeys = await aPrimary()
    const certified = await aCertifiedPrimary(of('primary'), ['pi-1'])
    await expect(byKeys.connect('pi-1', { port: certified.port })).rejects.toThrow(
      /shows a certificate, and does not prove that it knows the key of pi-1\. .* certifiedBy\.$/,
    )
    const { signal: stop } = stopAfterTest()
    const secure = certifiedBy({ ...of('pi-1'), node: 'primary' })
    await expect(connect({ peer: 'primary', host: HOST, port: byKeys.port, stop, secure })).rejects.toThrow(
      /it takes no certificates: its listener may be one for keys, which are for encryptedBy\.$/,
    )
    await byKeys.says(/is refused: it shows no key\.$/)
    expect([...certified.served, ...byKeys.peers]).toEqual([])
  })

  test('files that cannot be used are told at the start', async () => {
    const { signal: stop } = stopAfterTest()
    const options = { stop, log: recordingLog().log }
    const start = (change: Partial<CertificateFiles>) =>
      certifiedWith({ ...of('primary'), ...change, nodes: [] }, options)
    await expect(start({ ca: '/no/ca.crt' })).rejects.toThrow(/^Cannot read \/no\/ca\.crt: ENOENT/)
    await expect(start({ key: of('pi-1').key })).rejects.toThrow(
      /are no certificates and key that belong together: .*mismatch/,
    )
    await chmod(of('pi-2').key, 0o644)
    await expect(start({ key: of('pi-2').key })).rejects.toThrow(
      `The key in ${of('pi-2').key} is refused: others can get at it, since its mode is 644. Do: chmod 600 ${of('pi-2').key}`,
    )
  })
})
