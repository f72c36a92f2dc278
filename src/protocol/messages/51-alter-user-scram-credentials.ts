import { api, list } from '../schema.ts'

export const AlterUserScramCredentials = api(51, 'AlterUserScramCredentials', '0', '0+', {
  request: {
    deletions: list({
      name:                        'string',
      mechanism:                   'int8',
    }),
    upsertions: list({
      name:                        'string',
      mechanism:                   'int8',
      iterations:                  'int32',
      salt:                        'bytes',
      saltedPassword:              'bytes',
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    results: list({
      user:                        'string',
      errorCode:                   'int16',
      errorMessage:                'string?',
    }),
  },
})
