import { api, list } from '../schema.ts'

export const ListOffsets = api(2, 'ListOffsets', '1-11', '6+', {
  request: {
    replicaId:                     'int32 @brokerId',
    isolationLevel:                'int8 2+',
    topics: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        currentLeaderEpoch:        'int32 4+ = -1',
        timestamp:                 'int64',
      }),
    }),
    timeoutMs:                     'int32 10+',
  },
  response: {
    throttleTimeMs:                'int32 2+',
    topics: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        errorCode:                 'int16',
        timestamp:                 'int64 1+ = -1',
        offset:                    'int64 1+ = -1',
        leaderEpoch:               'int32 4+ = -1',
      }),
    }),
  },
})
