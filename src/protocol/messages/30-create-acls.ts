import { api, list } from '../schema.ts'

export const CreateAcls = api(30, 'CreateAcls', '1-3', '2+', {
  request: {
    creations: list({
      resourceType:                'int8',
      resourceName:                'string',
      resourcePatternType:         'int8 1+ = 3',
      principal:                   'string',
      host:                        'string',
      operation:                   'int8',
      permissionType:              'int8',
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    results: list({
      errorCode:                   'int16',
      errorMessage:                'string?',
    }),
  },
})
