import { api, list } from '../schema.ts'

export const DescribeShareGroupOffsets = api(90, 'DescribeShareGroupOffsets', '0-1', '0+', {
  request: {
    groups: list({
      groupId:                     'string @groupId',
      topics: list('?', {
        topicName:                 'string @topicName',
        partitions:                list('int32'),
      }),
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    groups: list({
      groupId:                     'string @groupId',
      topics: list({
        topicName:                 'string @topicName',
        topicId:                   'uuid',
        partitions: list({
          partitionIndex:          'int32',
          startOffset:             'int64',
          leaderEpoch:             'int32',
          lag:                     'int64 1+ = -1',
          errorCode:               'int16',
          errorMessage:            'string? = null',
        }),
      }),
      errorCode:                   'int16',
      errorMessage:                'string? = null',
    }),
  },
})
