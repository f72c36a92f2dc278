import { api, list } from '../schema.ts'

export const DeleteRecords = api(21, 'DeleteRecords', '0-2', '2+', {
  request: {
    topics: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        offset:                    'int64',
      }),
    }),
    timeoutMs:                     'int32',
  },
  response: {
    throttleTimeMs:                'int32',
    topics: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        lowWatermark:              'int64',
        errorCode:                 'int16',
      }),
    }),
  },
})
