import { api, list } from '../schema.ts'

export const DescribeConfigs = api(32, 'DescribeConfigs', '1-4', '4+', {
  request: {
    resources: list({
      resourceType:                'int8',
      resourceName:                'string',
      configurationKeys:           list('?', 'string'),
    }),
    includeSynonyms:               'bool 1+ = false',
    includeDocumentation:          'bool 3+ = false',
  },
  response: {
    throttleTimeMs:                'int32',
    results: list({
      errorCode:                   'int16',
      errorMessage:                'string?',
      resourceType:                'int8',
      resourceName:                'string',
      configs: list({
        name:                      'string',
        value:                     'string?',
        readOnly:                  'bool',
        configSource:              'int8 1+ = -1',
        isSensitive:               'bool',
        synonyms: list('1+', {
          name:                    'string 1+',
          value:                   'string? 1+',
          source:                  'int8 1+',
        }),
        configType:                'int8 3+ = 0',
        documentation:             'string? 3+',
      }),
    }),
  },
})
