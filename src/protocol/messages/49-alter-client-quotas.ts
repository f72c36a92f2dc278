import { api, list } from '../schema.ts'

export const AlterClientQuotas = api(49, 'AlterClientQuotas', '0-1', '1+', {
  request: {
    entries: list({
      entity: list({
        entityType:                'string',
        entityName:                'string?',
      }),
      ops: list({
        key:                       'string',
        value:                     'float64',
        remove:                    'bool',
      }),
    }),
    validateOnly:                  'bool',
  },
  response: {
    throttleTimeMs:                'int32',
    entries: list({
      errorCode:                   'int16',
      errorMessage:                'string?',
      entity: list({
        entityType:                'string',
        entityName:                'string?',
      }),
    }),
  },
})
