import { api, list } from '../schema.ts'

export const DescribeGroups = api(15, 'DescribeGroups', '0-6', '5+', {
  request: {
    groups:                        list('string @groupId'),
    includeAuthorizedOperations:   'bool 3+',
  },
  response: {
    throttleTimeMs:                'int32 1+',
    groups: list({
      errorCode:                   'int16',
      errorMessage:                'string? 6+ = null',
      groupId:                     'string @groupId',
      groupState:                  'string',
      protocolType:                'string',
      protocolData:                'string',
      members: list({
        memberId:                  'string',
        groupInstanceId:           'string? 4+ = null',
        clientId:                  'string',
        clientHost:                'string',
        memberMetadata:            'bytes',
        memberAssignment:          'bytes',
      }),
      authorizedOperations:        'int32 3+ = -2147483648',
    }),
  },
})
