import { api } from '../schema.ts'

export const PushTelemetry = api(72, 'PushTelemetry', '0', '0+', {
  request: {
    clientInstanceId:              'uuid',
    subscriptionId:                'int32',
    terminating:                   'bool',
    compressionType:               'int8',
    metrics:                       'bytes',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
  },
})
