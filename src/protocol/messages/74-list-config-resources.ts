import { api, list } from '../schema.ts'

export const ListConfigResources = api(74, 'ListConfigResources', '0-1', '0+', {
  request: {
    resourceTypes:                 list('1+', 'int8'),
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    configResources: list({
      resourceName:                'string',
      resourceType:                'int8 1+ = 16',
    }),
  },
})
