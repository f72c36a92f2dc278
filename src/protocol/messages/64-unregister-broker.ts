import { api } from '../schema.ts'

export const UnregisterBroker = api(64, 'UnregisterBroker', '0', '0+', {
  request: {
    brokerId:                      'int32 @brokerId',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string?',
  },
})
