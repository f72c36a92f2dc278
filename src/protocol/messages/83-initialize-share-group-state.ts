import { api, list } from '../schema.ts'

export const InitializeShareGroupState = api(83, 'InitializeShareGroupState', '0', '0+', {
  request: {
    groupId:                       'string',
    topics: list({
      topicId:                     'uuid',
      partitions: list({
        partition:                 'int32',
        stateEpoch:                'int32',
        startOffset:               'int64',
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
