import { api, list } from '../schema.ts'

export const DescribeDelegationToken = api(41, 'DescribeDelegationToken', '1-3', '2+', {
  request: {
    owners: list('?', {
      principalType:               'string',
      principalName:               'string',
    }),
  },
  response: {
    errorCode:                     'int16',
    tokens: list({
      principalType:               'string',
      principalName:               'string',
      tokenRequesterPrincipalType: 'string 3+',
      tokenRequesterPrincipalName: 'string 3+',
      issueTimestamp:              'int64',
      expiryTimestamp:             'int64',
      maxTimestamp:                'int64',
      tokenId:                     'string',
      hmac:                        'bytes',
      renewers: list({
        principalType:             'string',
        principalName:             'string',
      }),
    }),
    throttleTimeMs:                'int32',
  },
})
