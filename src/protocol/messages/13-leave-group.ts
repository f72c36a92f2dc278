import { api, list } from '../schema.ts'

export const LeaveGroup = api(13, 'LeaveGroup', '0-5', '4+', {
  request: {
    groupId:                       'string @groupId',
    memberId:                      'string 0-2',
    members: list('3+', {
      memberId:                    'string 3+',
      groupInstanceId:             'string? 3+ = null',
      reason:                      'string? 5+ = null',
    }),
  },
  response: {
    throttleTimeMs:                'int32 1+',
    errorCode:                     'int16',
    members: list('3+', {
      memberId:                    'string 3+',
      groupInstanceId:             'string? 3+',
      errorCode:                   'int16 3+',
    }),
  },
})
