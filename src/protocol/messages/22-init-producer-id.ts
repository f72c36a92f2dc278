import { api } from '../schema.ts'

export const InitProducerId = api(22, 'InitProducerId', '0-6', '2+', {
  request: {
    transactionalId:               'string? @transactionalId',
    transactionTimeoutMs:          'int32',
    producerId:                    'int64 3+ = -1 @producerId',
    producerEpoch:                 'int16 3+ = -1',
    enable2Pc:                     'bool 6+ = false',
    keepPreparedTxn:               'bool 6+ = false',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    producerId:                    'int64 = -1 @producerId',
    producerEpoch:                 'int16',
    ongoingTxnProducerId:          'int64 6+ = -1 @producerId',
    ongoingTxnProducerEpoch:       'int16 6+ = -1',
  },
})
