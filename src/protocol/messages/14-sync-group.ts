import { api, list } from '../schema.ts'

export const SyncGroup = api(14, 'SyncGroup', '0-5', '4+', {
  request: {
    groupId:                       'string @groupId',
    generationId:                  'int32',
    memberId:                      'string',
    groupInstanceId:               'string? 3+ = null',
    protocolType:                  'string? 5+ = null',
    protocolName:                  'string? 5+ = null',
    assignments: list({
      memberId:                    'string',
      assignment:                  'bytes',
    }),
  },
  response: {
    throttleTimeMs:                'int32 1+',
    errorCode:                     'int16',
    protocolType:                  'string? 5+ = null',
    protocolName:                  'string? 5+ = null',
    assignment:                    'bytes',
  },
})
