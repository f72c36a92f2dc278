import { api, list } from '../schema.ts'

export const DescribeUserScramCredentials = api(50, 'DescribeUserScramCredentials', '0', '0+', {
  request: {
    users: list('?', {
      name:                        'string',
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string?',
    results: list({
      user:                        'string',
      errorCode:                   'int16',
      errorMessage:                'string?',
      credentialInfos: list({
        mechanism:                 'int8',
        iterations:                'int32',
      }),
    }),
  },
})
