import { api, list } from '../schema.ts'

export const AlterPartitionReassignments = api(45, 'AlterPartitionReassignments', '0-1', '0+', {
  request: {
    timeoutMs:                     'int32 = 60000',
    allowReplicationFactorChange:  'bool 1+ = true',
    topics: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        replicas:                  list('? = null', 'int32 @brokerId'),
      }),
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    allowReplicationFactorChange:  'bool 1+ = true',
    errorCode:                     'int16',
    errorMessage:                  'string?',
    responses: list({
      name:                        'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        errorCode:                 'int16',
        errorMessage:              'string?',
      }),
    }),
  },
})
