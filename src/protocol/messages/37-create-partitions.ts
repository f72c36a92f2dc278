import { api, list } from '../schema.ts'

export const CreatePartitions = api(37, 'CreatePartitions', '0-3', '2+', {
  request: {
    topics: list({
      name:                        'string @topicName',
      count:                       'int32',
      assignments: list('?', {
        brokerIds:                 list('int32 @brokerId'),
      }),
    }),
    timeoutMs:                     'int32',
    validateOnly:                  'bool',
  },
  response: {
    throttleTimeMs:                'int32',
    results: list({
      name:                        'string @topicName',
      errorCode:                   'int16',
      errorMessage:                'string? = null',
    }),
  },
})
