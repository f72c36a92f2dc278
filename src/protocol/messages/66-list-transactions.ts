import { api, list } from '../schema.ts'

export const ListTransactions = api(66, 'ListTransactions', '0-2', '0+', {
  request: {
    stateFilters:                  list('string'),
    producerIdFilters:             list('int64 @producerId'),
    durationFilter:                'int64 1+ = -1',
    transactionalIdPattern:        'string? 2+ = null',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    unknownStateFilters:           list('string'),
    transactionStates: list({
      transactionalId:             'string @transactionalId',
      producerId:                  'int64 @producerId',
      transactionState:            'string',
    }),
  },
})
