import { api, list } from '../schema.ts'

export const DescribeClientQuotas = api(48, 'DescribeClientQuotas', '0-1', '1+', {
  request: {
    components: list({
      entityType:                  'string',
      matchType:                   'int8',
      match:                       'string?',
    }),
    strict:                        'bool',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string?',
    entries: list('?', {
      entity: list({
        entityType:                'string',
        entityName:                'string?',
      }),
      values: list({
        key:                       'string',
        value:                     'float64',
      }),
    }),
  },
})
