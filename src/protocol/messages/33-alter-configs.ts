import { api, list } from '../schema.ts'

export const AlterConfigs = api(33, 'AlterConfigs', '0-2', '2+', {
  request: {
    resources: list({
      resourceType:                'int8',
      resourceName:                'string',
      configs: list({
        name:                      'string',
        value:                     'string?',
      }),
    }),
    validateOnly:                  'bool',
  },
  response: {
    throttleTimeMs:                'int32',
    responses: list({
      errorCode:                   'int16',
      errorMessage:                'string?',
      resourceType:                'int8',
      resourceName:                'string',
    }),
  },
})
