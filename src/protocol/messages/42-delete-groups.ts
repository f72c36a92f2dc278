import { api, list } from '../schema.ts'

export const DeleteGroups = api(42, 'DeleteGroups', '0-3', '2+', {
  request: {
    groupsNames:                   list('string @groupId'),
  },
  response: {
    throttleTimeMs:                'int32',
    results: list({
      groupId:                     'string @groupId',
      errorCode:                   'int16',
      errorMessage:                'string? 3+ = null',
    }),
  },
})
