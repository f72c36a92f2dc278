import { api, list } from '../schema.ts'

export const OffsetDelete = api(47, 'OffsetDelete', '0', 'none', {
  request: {
    groupId:                       'string @groupId',
    topics: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
      }),
    }),
  },
  response: {
    errorCode:                     'int16',
    throttleTimeMs:                'int32',
    topics: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        errorCode:                 'int16',
      }),
    }),
  },
})
