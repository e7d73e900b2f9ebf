/**
 * The frames of a connection, each with a signature before it. What a program sends is signed, and of what comes only that is
 * handed over which the peer has said here, now, and for the first time.
 *
 * @since 0.21.0
 */
import type { Layer } from './connection.ts'
import { FrameRoom } from './frame-room.ts'
import { DEFAULT_MAX_FRAME_BYTES, FrameError, SEPARATOR } from './frames.ts'
import type { OperationalError } from './lifecycle.ts'
import {
  type Agreed,
  connectionId,
  type Direction,
  SIGNATURE_LETTERS,
  SignatureError,
  type SignatureProblem,
  Signer,
} from './signatures.ts'

/** How long what stands before a frame can be, in bytes: two numbers, the longest name, and a signature. */
const LONGEST_HEADER = 160

const NOTHING: Buffer = Buffer.alloc(0)
const SPACE = 0x20

/** What stands before a frame: connection, node, direction, number, signature. Each has one spelling. */
const HEADER = new RegExp(
  `^([0-9a-f]{16}) ([A-Za-z0-9._-]{1,63}) ([<>]) (0|[1-9][0-9]{0,15}) [A-Za-z0-9_-]{${SIGNATURE_LETTERS}} `,
)

/**
 * Signs what one end says, and checks what the other end says.
 *
 * A frame without content is one that no program sends. As the first it proves that its sender has the key, later it is a
 * farewell: a stream that ends without one was cut off.
 *
 * @internal
 */
export class SignedFrames implements Layer {
  readonly #from: string
  readonly #said: { signer: Signer; header: string; number: number }
  readonly #heard: { signer: Signer; header: string; number: number }
  readonly #agreed: Agreed
  readonly #id: string
  readonly #direction: Direction
  /** The beginning of a frame whose end has not come yet. */
  readonly #begun = new FrameRoom(true)
  #hasLeft = false
  #failure: OperationalError | undefined

  /**
   * @param direction which end this is
   * @param from what texts call the other end
   */
  constructor(agreed: Agreed, direction: Direction, from: string) {
    this.#agreed = agreed
    this.#direction = direction
    this.#from = from
    this.#id = connectionId(agreed)
    const half = (direction: Direction) => ({
      signer: new Signer(agreed, direction),
      header: `${this.#id} ${agreed.node} ${direction} `,
      number: 0,
    })
    this.#said = half(direction)
    this.#heard = half(opposite(direction))
  }

  get failure(): OperationalError | undefined {
    return this.#failure
  }

  get heldBytes(): number {
    return this.#begun.allocatedBytes
  }

  /** The first thing that is said, and the last: both are frames without content. */
  proof(): string {
    return `${this.#sign('', 'latin1')}\r`
  }

  farewell(): string {
    return this.proof()
  }

  /** @throws SignatureError when a frame, without its separator, is not the proof of the other end */
  checkProof(frame: Buffer): void {
    const begin = this.#check(frame)
    if (begin !== frame.length) throw this.#refusal('out of order', 'it is not the proof that comes first')
  }

  outgoing(data: string | Uint8Array, encoding: BufferEncoding): string | Uint8Array {
    return typeof data === 'string' ? this.#signText(data, encoding) : this.#signBytes(data)
  }

  #signText(text: string, encoding: BufferEncoding): string {
    let signed = ''
    let begin = 0
    for (let end = text.indexOf('\r'); end >= 0; end = text.indexOf('\r', begin)) {
      const frame = text.slice(begin, end)
      signed += `${this.#sign(frame, encoding)}${frame}\r`
      begin = end + 1
    }
    checkWhole(begin, text.length)
    return signed
  }

  /** The bytes may be shared with other connections, and stay as they are. */
  #signBytes(data: Uint8Array): Buffer {
    const pieces: Uint8Array[] = []
    let begin = 0
    for (let end = data.indexOf(SEPARATOR); end >= 0; end = data.indexOf(SEPARATOR, begin)) {
      const header = this.#sign(data.subarray(begin, end), 'latin1')
      pieces.push(Buffer.from(header, 'latin1'), data.subarray(begin, end + 1))
      begin = end + 1
    }
    checkWhole(begin, data.length)
    return Buffer.concat(pieces)
  }

  /** What stands before a frame. */
  #sign(frame: string | Uint8Array, encoding: BufferEncoding): string {
    const { signer, header, number } = this.#said
    this.#said.number += 1
    return `${header}${number} ${signer.sign(number, frame, encoding)} `
  }

  /**
   * The frames that have come whole and are right, without their headers, up to the first that is not: then there is a
   * {@link failure}. The chunk is used for them.
   */
  incoming(chunk: Buffer): Buffer {
    if (this.#failure) return NOTHING
    let [begin, kept] = [0, 0]
    let first: Buffer = NOTHING
    try {
      for (let end = chunk.indexOf(SEPARATOR); end >= 0; end = chunk.indexOf(SEPARATOR, begin)) {
        if (this.#begun.bytes > 0) {
          first = this.#endOfBegun(chunk.subarray(begin, end + 1))
        } else {
          const content = this.#checkFrame(chunk.subarray(begin, end))
          if (content !== undefined) kept += chunk.copy(chunk, kept, begin + content, end + 1)
        }
        begin = end + 1
      }
      if (begin < chunk.length) this.#hold(chunk.subarray(begin))
    } catch (error) {
      this.#failure = error as OperationalError
      this.#begun.drop()
    }
    const rest = chunk.subarray(0, kept)
    if (first.length === 0) return rest
    return kept === 0 ? first : Buffer.concat([first, rest])
  }

  /** The frame that ends with a piece, without its header. */
  #endOfBegun(piece: Buffer): Buffer {
    this.#hold(piece)
    const line = this.#begun.take()
    const content = this.#checkFrame(line.subarray(0, -1))
    return content === undefined ? NOTHING : Buffer.from(line.subarray(content))
  }

  #hold(piece: Buffer): void {
    if (this.#hasLeft) throw this.#afterFarewell()
    const bytes = this.#begun.bytes + piece.length
    if (bytes > DEFAULT_MAX_FRAME_BYTES + LONGEST_HEADER)
      throw new FrameError('too large', `${bytes} bytes so far, the limit is ${DEFAULT_MAX_FRAME_BYTES}`, {
        from: this.#from,
      })
    this.#begun.add(piece)
  }

  /** Where the content of a frame begins; undefined when that was a farewell. */
  #checkFrame(frame: Buffer): number | undefined {
    if (this.#hasLeft) throw this.#afterFarewell()
    const begin = this.#check(frame)
    if (begin < frame.length) return begin
    this.#hasLeft = true
    return undefined
  }

  /**
   * Where the content of a frame begins that is right, and the next one that is due.
   *
   * @throws SignatureError
   */
  #check(frame: Buffer): number {
    const { signer, header, number } = this.#heard
    const due = `${header}${number} `
    const begin = due.length + SIGNATURE_LETTERS + 1
    const isDue = frame.toString('latin1', 0, due.length) === due && frame[begin - 1] === SPACE
    if (!isDue || !signer.isRight(frame.subarray(due.length, begin - 1), number, frame.subarray(begin)))
      throw this.#whyRefused(frame)
    this.#heard.number += 1
    return begin
  }

  /**
   * What is wrong with a frame. What its header claims is believed as far as the signature says so too: a byte that was
   * changed in the header is no recording of something else.
   */
  #whyRefused(frame: Buffer): SignatureError {
    const [header, id, node, direction, numberText] =
      HEADER.exec(frame.toString('latin1', 0, LONGEST_HEADER)) ?? []
    if (header === undefined) return this.#refusal('not signed', 'it is not signed')
    if (node !== this.#agreed.node)
      return this.#refusal(
        'other node',
        `${node} is said to have signed it, and this is ${this.#agreed.node}`,
      )
    if (id !== this.#id)
      return this.#refusal(
        'old connection',
        `it was signed for another connection, ${id}, and this is ${this.#id}. Somebody plays back what was recorded`,
      )
    const { signer } = direction === this.#direction ? this.#said : this.#heard
    const number = Number(numberText)
    const signature = frame.subarray(header.length - SIGNATURE_LETTERS - 1, header.length - 1)
    if (!signer.isRight(signature, number, frame.subarray(header.length)))
      return this.#refusal('bytes changed', 'its signature does not fit. Bytes were changed on the way')
    if (direction === this.#direction)
      return this.#refusal('other direction', 'this end has said it itself. Somebody plays it back')
    const due = this.#heard.number
    return number < due
      ? this.#refusal(
          'same connection again',
          `it is number ${number}, which has come already, and ${due} is due. Somebody plays it back`,
        )
      : this.#refusal(
          'out of order',
          `it is number ${number}, and ${due} is due. Frames are missing, or in another order`,
        )
  }

  #refusal(kind: SignatureProblem, why: string): SignatureError {
    return new SignatureError(kind, `Refused a frame from ${this.#from}: ${why}.`)
  }

  #afterFarewell(): SignatureError {
    return this.#refusal('after the farewell', 'it comes after the farewell')
  }

  end(): void {
    if (this.#hasLeft) return
    const begun = this.#begun.bytes > 0 ? ` ${this.#begun.bytes} bytes of a frame were dropped.` : ''
    throw new SignatureError(
      'cut off at the end',
      `The connection to ${this.#from} was cut off at the end: its last word did not come.${begun} Its program was killed, its machine has lost its power, or somebody on the way has cut it. What came before holds.`,
    )
  }
}

function opposite(direction: Direction): Direction {
  return direction === '>' ? '<' : '>'
}

function checkWhole(signed: number, length: number): void {
  if (signed !== length)
    throw new TypeError(
      'A signed connection sends whole frames: what is written has to end with a carriage return.',
    )
}
