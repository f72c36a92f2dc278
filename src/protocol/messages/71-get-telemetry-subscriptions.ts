import { api, list } from '../schema.ts'

export const GetTelemetrySubscriptions = api(71, 'GetTelemetrySubscriptions', '0', '0+', {
  request: {
    clientInstanceId:              'uuid',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    clientInstanceId:              'uuid',
    subscriptionId:                'int32',
    acceptedCompressionTypes:      list('int8'),
    pushIntervalMs:                'int32',
    telemetryMaxBytes:             'int32',
    deltaTemporality:              'bool',
    requestedMetrics:              list('string'),
  },
})
