import { api } from '../schema.ts'

export const EndTxn = api(26, 'EndTxn', '0-5', '3+', {
  request: {
    transactionalId:               'string @transactionalId',
    producerId:                    'int64 @producerId',
    producerEpoch:                 'int16',
    committed:                     'bool',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    producerId:                    'int64 5+ = -1 @producerId',
    producerEpoch:                 'int16 5+ = -1',
  },
})
