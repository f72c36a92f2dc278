import { api } from '../schema.ts'

export const Heartbeat = api(12, 'Heartbeat', '0-4', '4+', {
  request: {
    groupId:                       'string @groupId',
    generationId:                  'int32',
    memberId:                      'string',
    groupInstanceId:               'string? 3+ = null',
  },
  response: {
    throttleTimeMs:                'int32 1+',
    errorCode:                     'int16',
  },
})
