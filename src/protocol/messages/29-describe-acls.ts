import { api, list } from '../schema.ts'

export const DescribeAcls = api(29, 'DescribeAcls', '1-3', '2+', {
  request: {
    resourceTypeFilter:            'int8',
    resourceNameFilter:            'string?',
    patternTypeFilter:             'int8 1+ = 3',
    principalFilter:               'string?',
    hostFilter:                    'string?',
    operation:                     'int8',
    permissionType:                'int8',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string?',
    resources: list({
      resourceType:                'int8',
      resourceName:                'string',
      patternType:                 'int8 1+ = 3',
      acls: list({
        principal:                 'string',
        host:                      'string',
        operation:                 'int8',
        permissionType:            'int8',
      }),
    }),
  },
})
