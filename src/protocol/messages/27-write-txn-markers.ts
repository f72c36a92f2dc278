import { api, list } from '../schema.ts'

export const WriteTxnMarkers = api(27, 'WriteTxnMarkers', '1-2', '1+', {
  request: {
    markers: list({
      producerId:                  'int64 @producerId',
      producerEpoch:               'int16',
      transactionResult:           'bool',
      topics: list({
        name:                      'string @topicName',
        partitionIndexes:          list('int32'),
      }),
      coordinatorEpoch:            'int32',
      transactionVersion:          'int8 2+ = 0',
    }),
  },
  response: {
    markers: list({
      producerId:                  'int64 @producerId',
      topics: list({
        name:                      'string @topicName',
        partitions: list({
          partitionIndex:          'int32',
          errorCode:               'int16',
        }),
      }),
    }),
  },
})
