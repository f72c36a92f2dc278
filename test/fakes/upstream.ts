// Brokers reached in plain text and without a login, for tests that are about something else.

import { Dialer } from '../../src/proxy/dial.ts'
import { Upstream } from '../../src/proxy/upstream.ts'

export const plainUpstream = new Upstream({ bootstrap: [], hosts: null, tls: null, sasl: null })

export const dialerOf = (upstream: Upstream, perSecond: number, budget = Number.POSITIVE_INFINITY): Dialer =>
  new Dialer(upstream, { perSecond, budget, underWay: 100 })
