import { api, list } from '../schema.ts'

export const IncrementalAlterConfigs = api(44, 'IncrementalAlterConfigs', '0-1', '1+', {
  request: {
    resources: list({
      resourceType:                'int8',
      resourceName:                'string',
      configs: list({
        name:                      'string',
        configOperation:           'int8',
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
