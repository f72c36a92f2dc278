import { api, list } from '../schema.ts'

export const AddPartitionsToTxn = api(24, 'AddPartitionsToTxn', '0-5', '3+', {
  request: {
    transactions: list('4+', {
      transactionalId:             'string 4+ @transactionalId',
      producerId:                  'int64 4+ @producerId',
      producerEpoch:               'int16 4+',
      verifyOnly:                  'bool 4+ = false',
      topics: list('4+', {
        name:                      'string @topicName',
        partitions:                list('int32'),
      }),
    }),
    v3AndBelowTransactionalId:     'string 0-3 @transactionalId',
    v3AndBelowProducerId:          'int64 0-3 @producerId',
    v3AndBelowProducerEpoch:       'int16 0-3',
    v3AndBelowTopics: list('0-3', {
      name:                        'string @topicName',
      partitions:                  list('int32'),
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16 4+',
    resultsByTransaction: list('4+', {
      transactionalId:             'string 4+ @transactionalId',
      topicResults: list('4+', {
        name:                      'string @topicName',
        resultsByPartition: list({
          partitionIndex:          'int32',
          partitionErrorCode:      'int16',
        }),
      }),
    }),
    resultsByTopicV3AndBelow: list('0-3', {
      name:                        'string @topicName',
      resultsByPartition: list({
        partitionIndex:            'int32',
        partitionErrorCode:        'int16',
      }),
    }),
  },
})
