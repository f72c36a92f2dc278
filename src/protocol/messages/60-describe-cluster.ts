import { api, list } from '../schema.ts'

export const DescribeCluster = api(60, 'DescribeCluster', '0-2', '0+', {
  request: {
    includeClusterAuthorizedOperations: 'bool',
    endpointType:                  'int8 1+ = 1',
    includeFencedBrokers:          'bool 2+',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string? = null',
    endpointType:                  'int8 1+ = 1',
    clusterId:                     'string',
    controllerId:                  'int32 = -1 @brokerId',
    brokers: list({
      brokerId:                    'int32 @brokerId',
      host:                        'string',
      port:                        'int32',
      rack:                        'string? = null',
      isFenced:                    'bool 2+',
    }),
    clusterAuthorizedOperations:   'int32 = -2147483648',
  },
})
