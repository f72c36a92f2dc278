import { api, list } from '../schema.ts'

export const AlterShareGroupOffsets = api(91, 'AlterShareGroupOffsets', '0', '0+', {
  request: {
    groupId:                       'string @groupId',
    topics: list({
      topicName:                   'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        startOffset:               'int64',
      }),
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string? = null',
    responses: list({
      topicName:                   'string @topicName',
      topicId:                     'uuid',
      partitions: list({
        partitionIndex:            'int32',
        errorCode:                 'int16',
        errorMessage:              'string? = null',
      }),
    }),
  },
})
