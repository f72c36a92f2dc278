import { api, list } from '../schema.ts'

export const ReadShareGroupStateSummary = api(87, 'ReadShareGroupStateSummary', '0-1', '0+', {
  request: {
    groupId:                       'string',
    topics: list({
      topicId:                     'uuid',
      partitions: list({
        partition:                 'int32',
        leaderEpoch:               'int32',
      }),
    }),
  },
  response: {
    results: list({
      topicId:                     'uuid',
      partitions: list({
        partition:                 'int32',
        errorCode:                 'int16',
        errorMessage:              'string? = null',
        stateEpoch:                'int32',
        leaderEpoch:               'int32',
        startOffset:               'int64',
        deliveryCompleteCount:     'int32 1+ = -1',
      }),
    }),
  },
})
