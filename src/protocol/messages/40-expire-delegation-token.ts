import { api } from '../schema.ts'

export const ExpireDelegationToken = api(40, 'ExpireDelegationToken', '1-2', '2+', {
  request: {
    hmac:                          'bytes',
    expiryTimePeriodMs:            'int64',
  },
  response: {
    errorCode:                     'int16',
    expiryTimestampMs:             'int64',
    throttleTimeMs:                'int32',
  },
})
