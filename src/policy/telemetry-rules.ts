// The rows of client telemetry (KIP-714): offered only where the configuration says so, and then forwarded as they come.

import { GetTelemetrySubscriptions } from '../protocol/messages/71-get-telemetry-subscriptions.ts'
import { PushTelemetry } from '../protocol/messages/72-push-telemetry.ts'
import { on, type Rule } from './rows.ts'

/** ClientMetricsManager.java asks for no right; metrics are compressed by the client, and never opened here. */
const says = {
  needs: 'nothing',
  differs:
    'offered only with cluster.clientTelemetry: true, where the broker offers it; what receives the metrics sees the principal and the address of the gate',
}

export const telemetryRules: readonly Rule[] = [
  on(GetTelemetrySubscriptions).ifConfigured().saying(says),
  on(PushTelemetry).ifConfigured().saying(says),
]
