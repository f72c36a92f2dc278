import { api, list } from '../schema.ts'

export const UpdateFeatures = api(57, 'UpdateFeatures', '0-2', '0+', {
  request: {
    timeoutMs:                     'int32 = 60000',
    featureUpdates: list({
      feature:                     'string',
      maxVersionLevel:             'int16',
      allowDowngrade:              'bool 0',
      upgradeType:                 'int8 1+ = 1',
    }),
    validateOnly:                  'bool 1+ = false',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string?',
    results: list('0-1', {
      feature:                     'string',
      errorCode:                   'int16',
      errorMessage:                'string?',
    }),
  },
})
