import { api, list } from '../schema.ts'

export const DescribeProducers = api(61, 'DescribeProducers', '0', '0+', {
  request: {
    topics: list({
      name:                        'string @topicName',
      partitionIndexes:            list('int32'),
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    topics: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        errorCode:                 'int16',
        errorMessage:              'string? = null',
        activeProducers: list({
          producerId:              'int64 @producerId',
          producerEpoch:           'int32',
          lastSequence:            'int32 = -1',
          lastTimestamp:           'int64 = -1',
          coordinatorEpoch:        'int32',
          currentTxnStartOffset:   'int64 = -1',
        }),
      }),
    }),
  },
})
