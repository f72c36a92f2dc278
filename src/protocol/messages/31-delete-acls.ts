import { api, list } from '../schema.ts'

export const DeleteAcls = api(31, 'DeleteAcls', '1-3', '2+', {
  request: {
    filters: list({
      resourceTypeFilter:          'int8',
      resourceNameFilter:          'string?',
      patternTypeFilter:           'int8 1+ = 3',
      principalFilter:             'string?',
      hostFilter:                  'string?',
      operation:                   'int8',
      permissionType:              'int8',
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    filterResults: list({
      errorCode:                   'int16',
      errorMessage:                'string?',
      matchingAcls: list({
        errorCode:                 'int16',
        errorMessage:              'string?',
        resourceType:              'int8',
        resourceName:              'string',
        patternType:               'int8 1+ = 3',
        principal:                 'string',
        host:                      'string',
        operation:                 'int8',
        permissionType:            'int8',
      }),
    }),
  },
})
