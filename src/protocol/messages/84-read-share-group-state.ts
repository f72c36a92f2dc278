import { api, list } from '../schema.ts'

export const ReadShareGroupState = api(84, 'ReadShareGroupState', '0', '0+', {
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
        startOffset:               'int64',
        stateBatches: list({
          firstOffset:             'int64',
          lastOffset:              'int64',
          deliveryState:           'int8',
          deliveryCount:           'int16',
        }),
      }),
    }),
  },
})
