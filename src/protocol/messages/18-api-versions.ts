import { api, list } from '../schema.ts'

export const ApiVersions = api(18, 'ApiVersions', '0-5', '3+', {
  request: {
    clientSoftwareName:            'string 3+',
    clientSoftwareVersion:         'string 3+',
    clusterId:                     'string? 5+ = null',
    nodeId:                        'int32 5+ = -1',
  },
  response: {
    errorCode:                     'int16',
    apiKeys: list({
      apiKey:                      'int16',
      minVersion:                  'int16',
      maxVersion:                  'int16',
    }),
    throttleTimeMs:                'int32 1+',
    supportedFeatures: list('3+ tag 0', {
      name:                        'string 3+',
      minVersion:                  'int16 3+',
      maxVersion:                  'int16 3+',
    }),
    finalizedFeaturesEpoch:        'int64 3+ tag 1 = -1',
    finalizedFeatures: list('3+ tag 2', {
      name:                        'string 3+',
      maxVersionLevel:             'int16 3+',
      minVersionLevel:             'int16 3+',
    }),
    zkMigrationReady:              'bool 3+ tag 3 = false',
  },
})
