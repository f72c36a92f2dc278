import { api, list } from '../schema.ts'

export const JoinGroup = api(11, 'JoinGroup', '0-9', '6+', {
  request: {
    groupId:                       'string @groupId',
    sessionTimeoutMs:              'int32',
    rebalanceTimeoutMs:            'int32 1+ = -1',
    memberId:                      'string',
    groupInstanceId:               'string? 5+ = null',
    protocolType:                  'string',
    protocols: list({
      name:                        'string',
      metadata:                    'bytes',
    }),
    reason:                        'string? 8+ = null',
  },
  response: {
    throttleTimeMs:                'int32 2+',
    errorCode:                     'int16',
    generationId:                  'int32 = -1',
    protocolType:                  'string? 7+ = null',
    protocolName:                  'string?7+',
    leader:                        'string',
    skipAssignment:                'bool 9+ = false',
    memberId:                      'string',
    members: list({
      memberId:                    'string',
      groupInstanceId:             'string? 5+ = null',
      metadata:                    'bytes',
    }),
  },
})
