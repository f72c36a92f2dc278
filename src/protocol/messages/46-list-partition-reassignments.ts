import { api, list } from '../schema.ts'

export const ListPartitionReassignments = api(46, 'ListPartitionReassignments', '0', '0+', {
  request: {
    timeoutMs:                     'int32 = 60000',
    topics: list('? = null', {
      name:                        'string @topicName',
      partitionIndexes:            list('int32'),
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string?',
    topics: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        replicas:                  list('int32 @brokerId'),
        addingReplicas:            list('int32 @brokerId'),
        removingReplicas:          list('int32 @brokerId'),
      }),
    }),
  },
})
