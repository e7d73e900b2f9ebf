/** A member of an election of ours: `member.ts NAME MEMBERS FOLDER`. It leads or follows, with the times of the library. */
import { join } from 'node:path'
import { type ElectionMember, openElection } from '@rpi-cluster/core/election'
import { openKey, openKeys } from '@rpi-cluster/core/key-files'
import { ListeningNode } from '@rpi-cluster/core/node'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { noLog as log } from '../no-log.ts'

const [name = '', list = '[]', folder = ''] = process.argv.slice(2)
const stop = new AbortController().signal
const members: ElectionMember[] = JSON.parse(list)
const { host, port } = members.find((member) => member.name === name) ?? { host: '', port: 0 }
const keys = await openKeys({ folder: join(folder, 'keys'), nodes: [], log, stop })
const key = await openKey({ file: join(folder, 'keys', `${name}.key`), log, stop })
const election = await openElection({ name, members, key, file: join(folder, `${name}.json`), log, stop })
const secure = encryptedWith(keys, { stop, log })
const member = new ListeningNode({ peer: 'member', host, port, secure, stop, log })
member.handlers = election.handlers
member.answers = election.answers
process.on('disconnect', () => process.exit())
await Promise.all([election.run(), member.run()])
