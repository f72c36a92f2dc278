import { api, list } from '../schema.ts'

export const WriteShareGroupState = api(85, 'WriteShareGroupState', '0-1', '0+', {
  request: {
    groupId:                       'string',
    topics: list({
      topicId:                     'uuid',
      partitions: list({
        partition:                 'int32',
        stateEpoch:                'int32',
        leaderEpoch:               'int32',
        startOffset:               'int64',
        deliveryCompleteCount:     'int32 1+ = -1',
        stateBatches: list({
          firstOffset:             'int64',
          lastOffset:              'int64',
          deliveryState:           'int8',
          deliveryCount:           'int16',
        }),
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
      }),
    }),
  },
})
