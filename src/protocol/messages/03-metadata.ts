import { api, list } from '../schema.ts'

export const Metadata = api(3, 'Metadata', '0-13', '9+', {
  request: {
    topics: list('?1+', {
      topicId:                     'uuid 10+',
      name:                        'string?10+ @topicName',
    }),
    allowAutoTopicCreation:        'bool 4+ = true',
    includeClusterAuthorizedOperations: 'bool 8-10',
    includeTopicAuthorizedOperations: 'bool 8+',
  },
  response: {
    throttleTimeMs:                'int32 3+',
    brokers: list({
      nodeId:                      'int32 @brokerId',
      host:                        'string',
      port:                        'int32',
      rack:                        'string? 1+ = null',
    }),
    clusterId:                     'string? 2+ = null',
    controllerId:                  'int32 1+ = -1 @brokerId',
    topics: list({
      errorCode:                   'int16',
      name:                        'string?12+ @topicName',
      topicId:                     'uuid 10+',
      isInternal:                  'bool 1+ = false',
      partitions: list({
        errorCode:                 'int16',
        partitionIndex:            'int32',
        leaderId:                  'int32 @brokerId',
        leaderEpoch:               'int32 7+ = -1',
        replicaNodes:              list('int32 @brokerId'),
        isrNodes:                  list('int32 @brokerId'),
        offlineReplicas:           list('5+', 'int32 @brokerId'),
      }),
      topicAuthorizedOperations:   'int32 8+ = -2147483648',
    }),
    clusterAuthorizedOperations:   'int32 8-10 = -2147483648',
    errorCode:                     'int16 13+',
  },
})
