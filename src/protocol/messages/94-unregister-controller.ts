import { api } from '../schema.ts'

export const UnregisterController = api(94, 'UnregisterController', '0', '0+', {
  request: {
    controllerId:                  'int32',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string?',
  },
})
