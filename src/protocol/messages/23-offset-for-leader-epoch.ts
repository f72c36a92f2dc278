import { api, list } from '../schema.ts'

export const OffsetForLeaderEpoch = api(23, 'OffsetForLeaderEpoch', '2-4', '4+', {
  request: {
    replicaId:                     'int32 3+ = -2 @brokerId',
    topics: list({
      topic:                       'string @topicName',
      partitions: list({
        partition:                 'int32',
        currentLeaderEpoch:        'int32 2+ = -1',
        leaderEpoch:               'int32',
      }),
    }),
  },
  response: {
    throttleTimeMs:                'int32 2+',
    topics: list({
      topic:                       'string @topicName',
      partitions: list({
        errorCode:                 'int16',
        partition:                 'int32',
        leaderEpoch:               'int32 1+ = -1',
        endOffset:                 'int64 = -1',
      }),
    }),
  },
})
