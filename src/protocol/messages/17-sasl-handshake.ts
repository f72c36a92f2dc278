import { api, list } from '../schema.ts'

export const SaslHandshake = api(17, 'SaslHandshake', '0-1', 'none', {
  request: {
    mechanism:                     'string',
  },
  response: {
    errorCode:                     'int16',
    mechanisms:                    list('string'),
  },
})
