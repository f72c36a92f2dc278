import { api } from '../schema.ts'

export const AddOffsetsToTxn = api(25, 'AddOffsetsToTxn', '0-4', '3+', {
  request: {
    transactionalId:               'string @transactionalId',
    producerId:                    'int64 @producerId',
    producerEpoch:                 'int16',
    groupId:                       'string @groupId',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
  },
})
