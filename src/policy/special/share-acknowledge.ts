// ShareAcknowledge: READ on the group and on each topic whose records are acknowledged. KafkaApis.scala handleShareAcknowledgeRequest.

import { ShareAcknowledge } from '../../protocol/messages/79-share-acknowledge.ts'
import { MalformedError } from '../../protocol/wire.ts'
import { Edition, type FrameWalk } from '../edition.ts'
import { type Endpoints, endpointsOf } from '../endpoints.ts'
import { TopicTable } from '../fetch-session.ts'
import { FIRST, type ListAt, listFinder, withGrafts } from '../graft.ts'
import type { Caller, Outcome, Plan, ResponseEdit } from '../outcome.ts'
import { FINAL_EPOCH, INITIAL_EPOCH, type ShareSession, type ShareSessions, shareSessionsOf } from '../share-session.ts'
import { ShareWriter } from './share-fetch-writer.ts'
import { INVALID_SHARE_SESSION_EPOCH, SHARE_SESSION_NOT_FOUND, ShareRequest } from './share-request.ts'

const ERROR_CODE = 0
const TOPIC_ID = 1
const NO_CHANGES = { allowed: [], refused: [] }

export const shareAcknowledgePlan = (version: number): Plan => new ShareAcknowledgePlan(version)

class ShareAcknowledgePlan implements Plan {
  readonly apiKey = ShareAcknowledge.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #request: ShareRequest
  readonly #writer: ShareWriter
  readonly #walkResponse: FrameWalk
  readonly #findResponses: (frame: Buffer) => ListAt
  readonly #endpoints: Endpoints

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(ShareAcknowledge, version)
    this.#request = new ShareRequest(this.#edition)
    this.#writer = new ShareWriter(this.#edition)
    this.#walkResponse = this.#edition.responseWalk(['errorCode', 'responses.topicId'])
    this.#findResponses = listFinder(this.#edition, 'response', 'responses')
    this.#endpoints = endpointsOf(this.#edition)!
  }

  /** The broker is always asked, also for nothing: its session moves on. */
  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const request = this.#request
    request.read(frame, caller, last)
    const sessions = shareSessionsOf(caller)
    const session = request.sessionIn(sessions, frame)
    const errorCode = request.gateCode(frame) || sessionCode(request.epoch, session)
    if (errorCode === 0) request.judgeTopics(frame, () => null)
    const { judging, scan, codes } = request
    if (judging.mustWait) return judging.wait()
    judging.tell()
    if (errorCode !== 0) return this.#edition.answer(frame, { errorCode })
    if (request.epoch === FINAL_EPOCH) sessions.end(session!)
    else session!.advance()
    const table = this.#tableOf(frame)
    const frames = this.#writer.request(frame, scan, codes, NO_CHANGES)
    return { kind: 'forward', frames, response: this.#edit(frame, caller, sessions, session!, table), thenClose: false }
  }

  #tableOf(frame: Buffer): TopicTable {
    const { scan, names, codes } = this.#request
    const table = new TopicTable()
    for (let i = 0; i < scan.topics; i++) {
      const [start, end] = [scan.keyStart[i]!, scan.keyEnd[i]!]
      if (table.find(frame, start, end) === null) table.add(frame, start, start, end, names[i]!, codes[i]!)
    }
    return table
  }

  #edit(request: Buffer, caller: Caller, sessions: ShareSessions, session: ShareSession, table: TopicTable): ResponseEdit {
    const told = this.#request.acknowledgeCodes(request, table)
    const grafts = [...told].map(([{ wireKey }, codes]) => {
      const partitions = [...codes].map(([partitionIndex, errorCode]) => ({ partitionIndex, errorCode }))
      return { before: FIRST, bytes: this.#writer.grafts([{ wireKey, partitions }]).bytes }
    })
    return {
      frames: 1,
      stream: () => null,
      whole: ([frame]) => {
        const failed = this.#check(frame!, table) !== 0
        if (failed) sessions.end(session)
        const joined = failed || grafts.length === 0 ? frame! : withGrafts(frame!, this.#findResponses(frame!), grafts, true)
        return this.#endpoints.rewrite(joined, caller.addresses)
      },
    }
  }

  /** The error of the whole. @throws {MalformedError} a topic is answered that the broker was not asked about */
  #check(frame: Buffer, table: TopicTable): number {
    let errorCode = 0
    this.#walkResponse(frame, (mark, bytes, start, end) => {
      if (mark === ERROR_CODE) errorCode = bytes.readInt16BE(start)
      else if (mark === TOPIC_ID && table.find(bytes, start, end)?.errorCode !== 0)
        throw new MalformedError('ShareAcknowledge response brings a topic that was not asked for', start)
    })
    return errorCode
  }
}

/** SharePartitionManager.java acknowledgeSessionUpdate. */
function sessionCode(epoch: number, session: ShareSession | null): number {
  if (epoch === INITIAL_EPOCH) return INVALID_SHARE_SESSION_EPOCH
  if (session === null) return SHARE_SESSION_NOT_FOUND
  return epoch === FINAL_EPOCH || epoch === session.epoch ? 0 : INVALID_SHARE_SESSION_EPOCH
}
