import { api, list } from '../schema.ts'

export const DescribeTransactions = api(65, 'DescribeTransactions', '0', '0+', {
  request: {
    transactionalIds:              list('string @transactionalId'),
  },
  response: {
    throttleTimeMs:                'int32',
    transactionStates: list({
      errorCode:                   'int16',
      transactionalId:             'string @transactionalId',
      transactionState:            'string',
      transactionTimeoutMs:        'int32',
      transactionStartTimeMs:      'int64',
      producerId:                  'int64 @producerId',
      producerEpoch:               'int16',
      topics: list({
        topic:                     'string @topicName',
        partitions:                list('int32'),
      }),
    }),
  },
})
