// Where a worker's thread begins: it opens its worker, says so, and then does as main tells it.

import { parentPort, workerData } from 'node:worker_threads'
import type { Principal } from '../auth/principal.ts'
import type { Origin } from '../policy/authorizer.ts'
import type { KeptQuestion } from '../policy/kept.ts'
import { type Change, homeOver, Link, type WorkerStart } from './home.ts'
import { GateWorker } from './worker.ts'

const opening = Promise.withResolvers<GateWorker>()
const link = new Link(parentPort!, {
  opened: () => opening.promise.then(() => undefined),
  apply: (change: Change) => opening.promise.then(worker => worker.apply(change)),
  kept: (question: KeptQuestion) => opening.promise.then(worker => worker.kept(question)),
  mayDescribeCluster: (principal: Principal, origin: Origin) =>
    opening.promise.then(worker => worker.mayDescribeCluster(principal, origin)),
})
GateWorker.open(workerData as WorkerStart, homeOver(link)).then(opening.resolve, opening.reject)
