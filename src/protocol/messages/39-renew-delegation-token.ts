import { api } from '../schema.ts'

export const RenewDelegationToken = api(39, 'RenewDelegationToken', '1-2', '2+', {
  request: {
    hmac:                          'bytes',
    renewPeriodMs:                 'int64',
  },
  response: {
    errorCode:                     'int16',
    expiryTimestampMs:             'int64',
    throttleTimeMs:                'int32',
  },
})
