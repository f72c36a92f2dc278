import { api } from '../schema.ts'

export const SaslAuthenticate = api(36, 'SaslAuthenticate', '0-2', '2+', {
  request: {
    authBytes:                     'bytes',
  },
  response: {
    errorCode:                     'int16',
    errorMessage:                  'string?',
    authBytes:                     'bytes',
    sessionLifetimeMs:             'int64 1+ = 0',
  },
})
