import { api, list } from '../schema.ts'

export const ListGroups = api(16, 'ListGroups', '0-5', '3+', {
  request: {
    statesFilter:                  list('4+', 'string'),
    typesFilter:                   list('5+', 'string'),
  },
  response: {
    throttleTimeMs:                'int32 1+',
    errorCode:                     'int16',
    groups: list({
      groupId:                     'string @groupId',
      protocolType:                'string',
      groupState:                  'string 4+',
      groupType:                   'string 5+',
    }),
  },
})
